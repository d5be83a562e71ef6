# Control dies and starts again from what it published: no verdict is forgotten, no generation falls back
# (L1, L2). Then its machine boots: times start anew, verdicts stay.
seed 11
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: api.example.com
      policy: failover
      ttl: 5s
      endpoints:
        - {name: use1, address: 198.51.100.10, role: primary, check: web}
        - {name: euw1, address: 203.0.113.10, role: secondary, check: web}
---
5s fail use1 closed
8s restart
12s boot
13s heal use1
25s end
