# Everything dies, and each service answers what its operator chose for that (L3). Before, one endpoint
# of each had died, so that the last good set is smaller than the preferred one.
seed 3
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: preferred.example.com
      policy: simple
      ttl: 5s
      endpoints:
        - {name: x, address: 10.0.0.1, check: web}
        - {name: y, address: 10.0.0.2, check: web}
    - name: last.example.com
      policy: simple
      ttl: 5s
      when_all_down: last_good
      endpoints:
        - {name: x, address: 10.0.1.1, check: web}
        - {name: y, address: 10.0.1.2, check: web}
    - name: nothing.example.com
      policy: simple
      ttl: 5s
      when_all_down: nodata
      endpoints:
        - {name: x, address: 10.0.2.1, check: web}
        - {name: y, address: 10.0.2.2, check: web}
    - name: fallback.example.com
      policy: simple
      ttl: 5s
      when_all_down: {fallback: sorry.example.net}
      endpoints:
        - {name: x, address: 10.0.3.1, check: web}
        - {name: y, address: 10.0.3.2, check: web}
---
5s fail x connect-refused
10s fail y connect-refused
20s heal all
30s end
