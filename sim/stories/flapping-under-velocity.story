# Incident A.6: machines whose network is not ready yet flap; checks would remove healthy capacity with
# the sick. Eight endpoints, half of which may go in a minute. All but two flap, then all heal.
seed 6
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: lb.example.com
      policy: multivalue
      ttl: 10s
      velocity: {remove: 50%, window: 60s}
      endpoints:
        - {name: a, address: 10.0.0.1, check: web}
        - {name: b, address: 10.0.0.2, check: web}
        - {name: c, address: 10.0.0.3, check: web}
        - {name: d, address: 10.0.0.4, check: web}
        - {name: e, address: 10.0.0.5, check: web}
        - {name: f, address: 10.0.0.6, check: web}
        - {name: g, address: 10.0.0.7, check: web}
        - {name: h, address: 10.0.0.8, check: web}
---
5s flap all 70 connect-refused
5s heal a
5s heal b
40s heal all
80s end
