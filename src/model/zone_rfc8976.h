/* For tests: the zones of RFC 8976 A.4 and A.5, record by record. */
#pragma once

static const char *const rfc8976_uri_arpa[] = {
    "@ 3600 SOA sns.dns.icann.org. noc.dns.icann.org. 2018100702 10800 3600 1209600 3600\n",
    ("@ 3600 RRSIG NSEC 8 2 3600 20181028142623 20181007205525 47155 uri.arpa. eEC4w/oXLR1Epwg"
     "v4MBiDtSBsXhqrJVvJWUpbX8XpetAvD35bxwNCUTi/pAJVUXefegWeiriD2rkTgCBCMmn7YQIm3gdR+HjY/+o3BX"
     "NQnz97f+eHAE9EDDzoNVfL1PyV/2fde9tDeUuAGVVwmD399NGq9jWYMRpyri2kysrq/g=\n"),
    ("@ 86400 RRSIG NS 8 2 86400 20181028172020 20181007175821 47155 uri.arpa. ATyV2A2A8ZoggC+"
     "68u4GuP5MOUuR+2rr3eWOkEU55zAHld/7FiBxl4ln4byJYy7NudUwlMOEXajqFZE7DVl8PpcvrP3HeeGaVzKqaWj"
     "+aus0jbKFBsvs2b1qDZemBfkz/IfAhUTJKnto0vSUicJKfItu0GjyYNJCz2CqEuGDWxc=\n"),
    ("@ 600 RRSIG MX 8 2 600 20181028170556 20181007175821 47155 uri.arpa. e7/r3KXDohX1lyVavet"
     "FFObp8fB8aXT76HnN9KCQDxSnSghNM83UQV0tlTtD8JVeN1mCvcNFZpagwIgB7XhTtm6Beur/m5ES+4uSnVeS6Q6"
     "6HBZKA3mR95IpevuVIZvvJ+GcCAQpBo6KRODYvJ/c/ZG6sfYWkZ7qg/Em5/+34UI=\n"),
    ("@ 3600 RRSIG DNSKEY 8 2 3600 20181028152832 20181007175821 15796 uri.arpa. nzpbnh0OqsgBB"
     "P8St28pLvPEQ3wZAUdEBuUwil+rtjjWlYYiqjPxZ286XF4Rq1usfV5x71jZz5IqswOaQgia91ylodFpLuXD6FTGs"
     "2nXGhNKkg1VchHgtwj70mXU72GefVgo8TxrFYzxuEFP5ZTP92t97FVWVVyyFd86sbbR6DZj3uA2wEvqBVLECgJLr"
     "MQ9Yy7MueJl3UA4h4E6zO2JY9Yp0W9woq0BdqkkwYTwzogyYffPmGAJG91RJ2h6cHtFjEZe2MnaY2glqniZ0WT9v"
     "XXduFPm0KD9U77Ac+ZtctAF9tsZwSdAoL365E2L1usZbA+K0BnPPqGFJRJk5R0A1w==\n"),
    ("@ 3600 RRSIG DNSKEY 8 2 3600 20181028152832 20181007175821 55480 uri.arpa. lWtQV/5szQjkX"
     "mbcD47/+rOW8kJPksRFHlzxxmzt906+DBYyfrH6uq5XnHvrUlQO6M12uhqDeL+bDFVgqSpNy+42/OaZvaK3J8EzP"
     "ZVBHPJykKMV63T83aAiJrAyHzOaEdmzLCpalqcEE2ImzlLHSafManRfJL8Yuv+JDZFj2WDWfEcUuwkmIZWX11zxp"
     "+DxwzyUlRl7x4+ok5iKZWIg5UnBAf6B8T75WnXzlhCw3F2pXI0a5LYg71L3Tp/xhjN6Yy9jGlIRf5BjB59X2zra3"
     "a2RPkI09SSnuEwHyF1mDaV5BmQrLGRnCjvwXA7ho2m+vv4SP5dUdXf+GTeA1HeBfw==\n"),
    ("@ 3600 RRSIG SOA 8 2 3600 20181029114753 20181008222815 47155 uri.arpa. qn8yBNoHDjGdT79U"
     "2Wu9IIahoS0YPOgYP8lG+qwPcrZ1BwGiHywuoUa2Mx6BWZlg+HDyaxj2iOmox+IIqoUHhXUbO7IUkJFlgrOKCgAR"
     "2twDHrXu9BUQHy9SoV16wYm3kBTEPyxW5FFm8vcdnKAF7sxSY8BbaYNpRIEjDx4AJUc=\n"),
    "@ 3600 NSEC ftp.uri.arpa. NS SOA MX RRSIG NSEC DNSKEY\n",
    "@ 86400 NS a.iana-servers.net.\n",
    "@ 86400 NS b.iana-servers.net.\n",
    "@ 86400 NS c.iana-servers.net.\n",
    "@ 86400 NS ns2.lacnic.net.\n",
    "@ 86400 NS sec3.apnic.net.\n",
    "@ 600 MX 10 pechora.icann.org.\n",
    ("@ 3600 DNSKEY 256 3 8 AwEAAcBi7tSart2J599zbYWspMNGN70IBWb4ziqyQYH9MTB/VCz6WyUKuXunwiJJbb"
     "Q3bcLqTLWEw134B6cTMHrZpjTAb5WAwg4XcWUu8mdcPTiLBl6qVRlRD0WiFCTzuYUfkwsh1Rbr7rvrxSQhF5rh71"
     "zSpwV5jjjp65WxSdJjlH0B\n"),
    ("@ 3600 DNSKEY 257 3 8 AwEAAbNVv6ulgRdO31MtAehz7j3ALRjwZglWesnzvllQl/+hBRZr9QoYcO2I+DkO4Q"
     "1NKxox4DUIxj8SxPO3GwDuOFR9q2/CFi2O0mZjafbdYtWc3zSdBbi3q0cwCIx7GuG9eqlL+pg7mdk9dgdNZfHwB0"
     "LnqTD8ebLPsrO/Id7kBaiqYOfMlZnh2fp+2h6OOJZHtY0DK1UlssyB5PKsE0tVzo5s6zo9iXKe5u+8WTMaGDY49v"
     "G80JPAKE7ezMiH/NZcUMiE0PRZ8D3foq2dYuS5ym+vA83Z7v8A+Rwh4UGnjxKB8zmr803V0ASAmHz/gwH5Vb0nH+"
     "LObwFtl3wpbp+Wpm8=\n"),
    ("@ 3600 DNSKEY 257 3 8 AwEAAbwnFTakCvaUKsXji4mgmxZUJi1IygbnGahbkmFEa0L16J+TchKRwcgzVfsxUG"
     "a2MmeA4hgkAooC3uy+tTmoMsgy8uq/JAj24DjiHzd46LfDFK/qMidVqFpYSHeq2Vv5ojkuIsx4oe4KsafGWYNOcz"
     "KZgH5loGjN2aJGmrIm++XCphOskgCsQYl65MIzuXffzJyxlAuts+ecAIiVeqRaqQfr8LRU7wIsLxinXirprtQrbo"
     "r+EtvlHp9qXE6ARTZDzf4jvsNpKvLFZtmxzFf3e/UJz5eHjpwDSiZL7xE8aE1o1nGfPtJx9ZnB3bapltaJ5wY+5X"
     "OCKgY0xmJVvNQlwdE=\n"),
    ("ftp 3600 RRSIG NSEC 8 3 3600 20181028080856 20181007175821 47155 uri.arpa. HClGAqPxzkYkA"
     "T7Q/QNtQeB6YrkP6EPOef+9Qo5/2zngwAewXEAQiyF9jD1USJiroM11QqBS3v3aIdW/LXORs4Ez3hLcKNO1cKHsO"
     "uWAqzmE+BPPArfh8N95jqh/q6vpaB9UtMkQ53tM2fYU1GszOLN0knxbHgDHAh2axMGHlqM=\n"),
    ("ftp 604800 RRSIG NAPTR 8 3 604800 20181028103644 20181007205525 47155 uri.arpa. WoLi+vZz"
     "kxaoLr2IGZnwkRvcDf6KxiWQd1WZP/U+AWnV+7MiqsWPZaf09toRErerGoFOiOASNxZjBGJrRgjmavOM9U+LZSco"
     "nP9zrNFd4dIu6kp5YxlQJ0uHOvx1ZHFCj6lAt1ACUIw04ZhMydTmi27c8MzEOMepvn7iH7r7k7k=\n"),
    "ftp 3600 NSEC http.uri.arpa. NAPTR RRSIG NSEC\n",
    "ftp 604800 NAPTR 0 0 \"\" \"\" \"!^ftp://([^:/?#]*).*$!\\\\1!i\" .\n",
    ("http 3600 RRSIG NSEC 8 3 3600 20181029010647 20181007175821 47155 uri.arpa. U03NntQ73LHW"
     "pfLmUK8nMsqkwVsOGW2KdsyuHYAjqQSZvKbtmbv7HBmEH1+Ii3Z+wtfdMZBy5aC/6sHdx69BfZJs16xumycMlAy6"
     "325DKTQbIMN+ift9GrKBC7cgCd2msF/uzSrYxxg4MJQzBPvlkwXnY3b7eJSlIXisBIn73b8=\n"),
    ("http 604800 RRSIG NAPTR 8 3 604800 20181029011815 20181007205525 47155 uri.arpa. T7mRrda"
     "g+WSmG+n22mtBSQ/0Y3v+rdDnfQV90LN5Fq32N5K2iYFajF7FTp56oOznytfcL4fHrqOE0wRc9NWOCCUec9C7Wa1"
     "gJQcllEvgoAM+L6f0RsEjWq6+9jvlLKMXQv0xQuMX17338uoD/xiAFQSnDbiQKxwWMqVAimv57Zs=\n"),
    "http 3600 NSEC mailto.uri.arpa. NAPTR RRSIG NSEC\n",
    "http 604800 NAPTR 0 0 \"\" \"\" \"!^http://([^:/?#]*).*$!\\\\1!i\" .\n",
    ("mailto 3600 RRSIG NSEC 8 3 3600 20181028110727 20181007175821 47155 uri.arpa. GvxzVL85rE"
     "ukwGqtuLxek9ipwjBMfTOFIEyJ7afC8HxVMs6mfFa/nEM/IdFvvFg+lcYoJSQYuSAVYFl3xPbgrxVSLK125QutCF"
     "MdC/YjuZEnq5clfQciMRD7R3+znZfm8d8u/snLV9w4D+lTBZrJJUBe1Efc8vum5vvV7819ZoY=\n"),
    ("mailto 604800 RRSIG NAPTR 8 3 604800 20181028141825 20181007205525 47155 uri.arpa. MaADU"
     "gc3fc5v++M0YmqjGk3jBdfIA5RuP62hUSlPsFZO4k37erjIGCfFj+g84yc+QgbSde0PQHszl9fE/+SU5ZXiS9Ydc"
     "bzSZxp2erFpZOTchrpg916T4vx6i59scodjb0l6bDyZ+mtIPrc1w6b4hUyOUTsDQoAJYxdfEuMgVy4=\n"),
    "mailto 3600 NSEC urn.uri.arpa. NAPTR RRSIG NSEC\n",
    "mailto 604800 NAPTR 0 0 \"\" \"\" \"!^mailto:(.*)@(.*)$!\\\\2!i\" .\n",
    ("urn 3600 RRSIG NSEC 8 3 3600 20181028123243 20181007175821 47155 uri.arpa. Hgsw4Deops1O8"
     "uWyELGe6hpR/OEqCnTHvahlwiQkHhO5CSEQrbhmFAWeUOkmGAdTEYrSz+skLRQuITRMwzyFf4oUkZihGyhZyzHbc"
     "xWfuDc/Pd/9DSl56gdeBwy1evn5wBTms8yWQVkNtphbJH395gRqZuaJs3LD/qTyJ5DpLvA=\n"),
    ("urn 604800 RRSIG NAPTR 8 3 604800 20181029071816 20181007205525 47155 uri.arpa. ALIZD0vB"
     "qAQQt40GQ0Efaj8OCyE9xSRJRdyvyn/H/wZVXFRFKrQYrLASD/K7q6CMTOxTRCu2J8yes63WJiaJEdnh+dscXzZk"
     "mOg4n5PsgZbkvUSWBiGtxvz5jNncM0xVbkjbtByrvJQAO1cU1mnlDKe1FmVB1uLpVdA9Ib4JhMU=\n"),
    "urn 3600 NSEC uri.arpa. NAPTR RRSIG NSEC\n",
    "urn 604800 NAPTR 0 0 \"\" \"\" \"/urn:([^:]+)/\\\\1/i\" .\n",
    ("@ 3600 ZONEMD 2018100702 1 1 1291b78ddf7669b1a39d014d87626b709b55774c5d7d58fadc556439889"
     "a10eaf6f11d615900a4f996bd46279514e473\n"),
};

static const char *const rfc8976_root_servers_net[] = {
    "@ 3600000 SOA a nstld.verisign-grs.com. 2018091100 14400 7200 1209600 3600000\n",
    "@ 3600000 NS a\n",
    "@ 3600000 NS b\n",
    "@ 3600000 NS c\n",
    "@ 3600000 NS d\n",
    "@ 3600000 NS e\n",
    "@ 3600000 NS f\n",
    "@ 3600000 NS g\n",
    "@ 3600000 NS h\n",
    "@ 3600000 NS i\n",
    "@ 3600000 NS j\n",
    "@ 3600000 NS k\n",
    "@ 3600000 NS l\n",
    "@ 3600000 NS m\n",
    "a 3600000 AAAA 2001:503:ba3e::2:30\n",
    "a 3600000 A 198.41.0.4\n",
    "b 3600000 MX 20 mail.isi.edu.\n",
    "b 3600000 AAAA 2001:500:200::b\n",
    "b 3600000 A 199.9.14.201\n",
    "c 3600000 AAAA 2001:500:2::c\n",
    "c 3600000 A 192.33.4.12\n",
    "d 3600000 AAAA 2001:500:2d::d\n",
    "d 3600000 A 199.7.91.13\n",
    "e 3600000 AAAA 2001:500:a8::e\n",
    "e 3600000 A 192.203.230.10\n",
    "f 3600000 AAAA 2001:500:2f::f\n",
    "f 3600000 A 192.5.5.241\n",
    "g 3600000 AAAA 2001:500:12::d0d\n",
    "g 3600000 A 192.112.36.4\n",
    "h 3600000 AAAA 2001:500:1::53\n",
    "h 3600000 A 198.97.190.53\n",
    "i 3600000 MX 10 mx.i.root-servers.org.\n",
    "i 3600000 AAAA 2001:7fe::53\n",
    "i 3600000 A 192.36.148.17\n",
    "j 3600000 AAAA 2001:503:c27::2:30\n",
    "j 3600000 A 192.58.128.30\n",
    "k 3600000 AAAA 2001:7fd::1\n",
    "k 3600000 A 193.0.14.129\n",
    "l 3600000 AAAA 2001:500:9f::42\n",
    "l 3600000 A 199.7.83.42\n",
    "m 3600000 AAAA 2001:dc3::35\n",
    "m 3600000 A 202.12.27.33\n",
    ("@ 3600000 ZONEMD 2018091100 1 1 f1ca0ccd91bd5573d9f431c00ee0101b2545c97602be0a978a3b11db"
     "fc1c776d5b3e86ae3d973d6b5349ba7f04340f79\n"),
};
