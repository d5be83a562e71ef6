# The prober falls behind, and then stops, while an endpoint dies: verdicts freeze (L4, L8). When it is
# itself again, counting begins anew and the death is seen.
seed 5
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
5s prober late
5s fail use1 connect-timeout
10s prober stopped
15s prober ok
20s end
