# A start: nobody was seen healthy yet, so the preferred set answers, whatever the mode for outages
# says. c is never seen healthy: not ready is not unhealthy, and nothing is removed (L4).
seed 4
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: api.example.com
      policy: simple
      ttl: 5s
      when_all_down: nodata
      velocity: {remove: 10%, window: 60s}
      endpoints:
        - {name: a, address: 10.0.0.1, check: web}
        - {name: b, address: 10.0.0.2, check: web}
        - {name: c, address: 10.0.0.3, check: web}
---
0s fail all connect-refused
5s heal a
5s heal b
10s heal c
15s end
