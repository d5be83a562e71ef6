# Reloads while a region is down: its verdict, its hold-down and the velocity window go on; a bad file
# changes nothing; an endpoint with a new address has to be seen healthy first.
seed 9
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: api.example.com
      policy: failover
      ttl: {min: 1s, max: 20s}
      endpoints:
        - {name: use1, address: 198.51.100.10, region: us-east-1, role: primary, check: web}
        - {name: euw1, address: 203.0.113.10, region: eu-west-1, role: secondary, check: web}
---
5s fail use1 connect-timeout
8s reload policy: failover => policy: nonsense
9s reload max: 20s => max: 10s
10s heal use1
11s reload hold_down: 5s => hold_down: 6s
15s reload 203.0.113.10 => 203.0.113.99
17s reload 198.51.100.10 => 198.51.100.99
20s end
