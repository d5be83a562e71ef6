# A region is cut off; its standby takes over; the region heals and takes its clients back.
seed 1
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: api.example.com
      policy: failover
      ttl: {min: 1s, max: 30s}
      endpoints:
        - {name: use1, address: 198.51.100.10, region: us-east-1, role: primary, check: web}
        - {name: euw1, address: 203.0.113.10, region: eu-west-1, role: secondary, check: web}
---
10s fail region:us-east-1 connect-timeout
20s heal region:us-east-1
30s end
