# Regions that are services of their own, nested: each fails over inside, then its region is left. The
# parent may lose half of its regions in a minute.
seed 12
config
  node: {name: tokyo-1, site: tokyo, network: AS64500}
  zones:
    - {name: example.com, file: example.com.zone}
  checks:
    web: {tcp: 443, interval: 250ms, timeout: 200ms, rise: 2, fall: 3, hold_down: 5s}
  services:
    - name: www.example.com
      policy: weighted
      ttl: 5s
      endpoints:
        - {name: us, service: us.pool, weight: 50}
        - {name: eu, service: eu.pool, weight: 30}
        - {name: ap, service: ap.pool, weight: 20}
    - name: us.pool
      policy: failover
      endpoints:
        - {name: us1, address: 10.0.0.1, region: us, role: primary, check: web}
        - {name: us2, address: 10.0.0.2, region: us, role: secondary, check: web}
    - name: eu.pool
      policy: simple
      endpoints:
        - {name: eu1, address: 10.0.1.1, region: eu, check: web}
        - {name: eu2, address: 10.0.1.2, region: eu, check: web}
    - name: ap.pool
      policy: simple
      endpoints:
        - {name: ap1, address: 10.0.2.1, region: ap, check: web}
---
5s fail us1 connect-refused
8s fail us2 connect-refused
10s fail region:eu connect-refused
15s heal region:us
25s heal region:eu
30s end
