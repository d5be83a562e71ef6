# Orders: not bounded by the velocity limit, visible, and never ignored. The last step drains everything:
# then the drained answer, since nobody else may.
seed 8
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: api.example.com
      policy: weighted
      ttl: 5s
      endpoints:
        - {name: a, address: 10.0.0.1, weight: 60, check: web}
        - {name: b, address: 10.0.0.2, weight: 30, check: web}
        - {name: c, address: 10.0.0.3, weight: 10, check: web}
---
5s drain api.example.com/a
6s drain api.example.com/b
10s auto api.example.com/a
12s fail a connect-refused
15s force api.example.com/a
17s auto api.example.com/a
19s heal a
26s disable api.example.com/c
28s drain api.example.com/a
30s auto api.example.com/a
30s auto api.example.com/b
30s auto api.example.com/c
35s end
