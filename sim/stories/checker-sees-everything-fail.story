# October 2025: a checker that sees everything fail. This node loses its own network: all targets of all
# services look dead at once. No name is left without an answer (L3), and no verdict that follows costs
# more capacity than the limit allows (L4), neither on the way down nor when all return one by one.
seed 10
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
    - name: www.example.com
      policy: weighted
      ttl: 5s
      endpoints:
        - {name: a, address: 10.0.0.1, check: web}
        - {name: b, address: 10.0.0.2, check: web}
        - {name: c, address: 10.0.0.3, check: web}
        - {name: d, address: 10.0.0.4, check: web}
---
10s prober blind
30s prober ok
45s end
