"""Judges one question that Holdfast, NSD and Knot were asked: which differences are right, and why.

Every accepted difference is a function here; its first line is the reason, and doc/internals/differences.md lists them
all. Holdfast must say what at least one peer says, once the habits of that peer are taken off its answer; where the other
peer then says something else, a function has to know why, too."""


import rawdns
import zonegen

NS, CNAME, SOA, DS, DNAME, ANY = 2, 5, 6, 43, 39, 255
A, AAAA = 1, 28
CLASS_IN, CLASS_ANY = 1, 255
MB, MX, AFSDB, RT, SRV, KX, SVCB, HTTPS = 7, 15, 18, 21, 33, 36, 64, 65
AA, TC, RD, RA, AD, CD = 0x400, 0x200, 0x100, 0x80, 0x20, 0x10
NOERROR, NXDOMAIN, REFUSED, YXDOMAIN = 0, 3, 5, 6
UDP_SIZE = 1232  # what all three offer, and send at most
OPT_SIZE = 11
EXTENDED_ERROR = b"\0\x0f"
RRSIG, NSEC, NSEC3 = 46, 47, 50
PROOF = {RRSIG, NSEC, NSEC3}
ALIASES_MAX = 64  # followed here, name by name, before an answer counts as endless
OUR_ALIASES_MAX = 16
OURS, NSD, KNOT = "holdfast", "nsd", "knot"
PARTS = ("rcode", "aa", "tc", "flags", "question", "answer", "authority", "additional", "opt")


def parts(m):
    return (m.rcode, m.flags & AA, m.flags & TC, m.flags & ~(AA | TC | 15), m.question, m.answer, m.authority, m.additional,
            m.opt)


def differences(a, b):
    """Names of the parts in which two messages differ."""
    return {name for name, x, y in zip(PARTS, parts(a), parts(b)) if x != y}


def limit(question):
    """Bytes that an answer over UDP may have."""
    return min(max(question.edns or 512, 512), UDP_SIZE)


class Case:
    """A question, what each server said to it, and why they may differ."""

    def __init__(self, servers, zones, question, answers, found):
        """zones: all that are served; answers: bytes, as `servers`; found: counts accepted differences, by rule."""
        self.servers, self.zones, self.question, self.answers, self.found = servers, zones, question, answers, found
        self.unknown, self.full = None, None  # whom nobody can explain; the case over TCP
        self.said, self.malformed = {}, None
        for server, data in zip(servers, answers):
            try:
                self.said[server.label] = rawdns.Message(data)
            except ValueError as e:
                self.malformed = f"{server.label} is malformed: {e}"
        self.ours = self.said.get(OURS)

    def over_tcp(self):
        question = self.question.again(tcp=True)
        return Case(self.servers, self.zones, question, [s.ask_tcp(question.wire(1)) for s in self.servers], self.found)

    def ask(self, label, wire_name=None, rtype=None):
        """The same question about another name or type, over TCP."""
        question = self.question.again(wire_name, rtype, tcp=True)
        return rawdns.Message(next(s for s in self.servers if s.label == label).ask_tcp(question.wire(1)))

    def zone_for(self, name):
        """The zone that a name is looked up in: for DS the parent's, where it is served (RFC 4035 3.1.4.1)."""
        zones = sorted((z for z in self.zones if zonegen.below(name, z.origin)), key=lambda z: len(z.origin))
        if self.question.rtype == DS and len(zones) > 1 and zones[-1].origin == name:
            return zones[-2]
        return zones[-1] if zones else None

    def note(self, rule, label):
        self.found[f"{label}: {rule.__doc__.splitlines()[0]}"] += 1


# ---- what must hold of every answer of ours ----

def faults(case):
    """What is wrong with our answer whatever the others say."""
    m, q = case.ours, case.question
    if m.question != q.wire(0)[12:16 + len(q.wire_name)]:
        yield "the question is not repeated to the bit"
    if m.flags & (RA | AD | CD) or bool(m.flags & RD) != q.recurse or not m.flags & 0x8000:
        yield "flags"
    if bool(m.opt) != bool(q.edns) or (m.opt and m.opt != (UDP_SIZE, 0, 0x8000 if q.dnssec else 0)) or (
            m.options and m.options[:2] != EXTENDED_ERROR):
        yield "EDNS"
    if m.miscompressed:
        yield "a name is compressed that must not be (RFC 3597 4)"
    if not q.tcp and len(m.data) > limit(q):
        yield "longer than the client takes"
    records = m.answer + m.authority + m.additional
    if len(records) != len(set(records)):
        yield "a record stands there twice"
    chain = [r for r in m.order if r[1] not in (DNAME, RRSIG)]
    if q.rtype not in (ANY, RRSIG) and any(r[1] == CNAME and r[4] != after[0] for r, after in zip(chain, chain[1:])):
        yield "the aliases do not follow one another"
    made = [r for r in m.order if r[1] != RRSIG]
    for dname, alias in zip(made, made[1:]):
        if dname[1] == DNAME and q.rtype != DNAME and not alias[0].endswith(dname[0]):
            yield "a DNAME without its CNAME"


def truncation_faults(case, full):
    """Over UDP all or nothing, and TC only where it does not fit. full: the case over TCP."""
    m, whole = case.ours, full.ours
    if m.truncated:
        if len(whole.data) <= limit(case.question):
            yield "TC, though the answer fits"
        if m.answer:
            yield "part of an answer"
        # The RCODE is that of the last alias, which may not have been reached.
        early = m.rcode == NOERROR and any(r[1] == CNAME for r in whole.order)
        if differences(m, whole) & {"aa", "flags"} or (m.rcode != whole.rcode and not early):
            yield "UDP and TCP do not say the same"
    elif goes_on(case, m) and whole.authority and not m.additional and len(whole.data) > limit(case.question):
        case.note(referral_left_out, OURS)
    elif differences(m, whole) - {"additional"}:
        yield "UDP and TCP do not say the same"
    elif m.additional != whole.additional and len(whole.data) <= limit(case.question):
        yield "additional records left out, though they fit"
    if whole.truncated and len(whole.data) < 30000 and not any(full.said[p].truncated for p in (NSD, KNOT)):
        yield "TC over TCP"


def referral_left_out():
    """a referral behind an alias goes along where it fits, without TC where it does not"""


# ---- habits of the peers, taken off their answers before comparing ----

def signature_of(record):
    """The type that an RRSIG covers; else the record's own."""
    return int.from_bytes(record[4][:2], "big") if record[1] == RRSIG else record[1]


def nsd_adds_name_servers(case, server, m):
    """adds the zone's NS set and its addresses to every positive answer"""
    courtesy = [r for r in m.authority if signature_of(r) == NS]
    if not m.authoritative or not m.answer or not courtesy:
        return False
    if all(zonegen.name_wire(z.origin).lower() != courtesy[0][0] for z in case.zones):
        return False
    targets = {r[4] for r in courtesy if r[1] == NS}
    m.authority = [r for r in m.authority if r not in courtesy]
    m.additional = [r for r in m.additional if r[0] not in targets or r in case.ours.additional]
    return True


def repeats_itself(case, server, m):
    """says a record twice: those of a loop of aliases, addresses of a name that is written in two cases"""
    once = [list(dict.fromkeys(section)) for section in (m.order, m.authority, m.additional)]
    changed = [len(section) for section in once] != [len(m.order), len(m.authority), len(m.additional)]
    m.order, m.authority, m.additional = once
    m.answer = sorted(m.order)
    return changed


def goes_on(case, m):
    """Does the chain of aliases lead on to a name that was not looked up?"""
    chain = [r for r in m.order if r[1] != RRSIG]
    return chain and chain[-1][1] == CNAME and m.rcode == NOERROR and {r[1] for r in m.authority} <= PROOF


def stops_following(case, server, m):
    """follows only so many aliases (Knot 5, Holdfast 16), and not into another zone (Knot): asked alias by alias"""
    aliases = [r for r in m.order if r[1] == CNAME]
    if case.question.rtype in (CNAME, ANY) or not aliases or aliases[0][0] != case.question.wire_name.lower():
        return False
    if server.label == OURS and len(aliases) < OUR_ALIASES_MAX:
        return False
    different = differences(m, case.ours) & {"rcode", "answer", "authority", "additional"}
    if server.label != OURS and not different and not goes_on(case, m):
        return False
    follow(case, server, m)
    return True


def follow(case, server, m):
    """Makes the answer anew from one question for each alias, and one for what they lead to."""
    name, seen = case.question.wire_name.lower(), set()
    order, authority = [], []
    if case.question.rtype == DS and any(z.origin == rawdns.labels(name) for z in case.zones):  # asked of the parent
        seen.add(name)
        order = [r for r in m.order if r[0] == name]
        authority = [r for r in m.authority if signature_of(r) in (NSEC, NSEC3)]
        name = m.order[0][4]
    while name not in seen and len(seen) < ALIASES_MAX:
        seen.add(name)
        step = case.ask(server.label, name, CNAME)
        alias = next((r for r in step.order if r[1] == CNAME), None)
        if not alias:
            step = case.ask(server.label, name)
            if step.rcode != REFUSED:
                order += step.order
                authority += step.authority
                m.rcode, m.additional, m.data = step.rcode, step.additional, step.data
            break
        order += step.order
        authority += [r for r in step.authority if r[1] in PROOF and signature_of(r) not in (NS, SOA)]
        m.rcode, m.additional = NOERROR, []
        name = alias[4]
    m.order, m.answer, m.authority = order, sorted(order), sorted(set(authority))


HABITS = {NSD: [nsd_adds_name_servers, repeats_itself, stops_following, nsd_adds_name_servers],
          KNOT: [repeats_itself, stops_following],
          OURS: [stops_following]}


# ---- why a peer says something else ----

# What goes along in the additional section is everybody's own choice, within reason: each record of theirs that is not
# in ours has one of these.

def cut_of(case):
    """The delegation that our answer refers to; None where it is no referral."""
    return next((rawdns.labels(r[0]) for r in case.ours.authority if r[1] == NS), None)


def glue_is_for_referrals(case, record, zone):
    """addresses at and below a delegation are glue, which Holdfast adds to referrals only"""
    return cut_of(case) is None and zone.cut(rawdns.labels(record[0])) is not None


def not_its_own(case, record, zone):
    """addresses that a target has from a wildcard or an alias are not added by Holdfast"""
    name = rawdns.labels(record[0])
    return zone.answering(name) != name


def old_types(case, record, zone):
    """NSD adds addresses to MB, AFSDB, RT and KX, too"""
    return {r[1] for r in case.ours.answer} <= {RRSIG, CNAME, DNAME, MB, AFSDB, RT, KX} and cut_of(case) is None


def one_datagram(case, record, zone):
    """Holdfast sends optional additional records as far as they fit a message of 1232 bytes, even over TCP"""
    cut = cut_of(case)
    if cut is not None and zonegen.below(rawdns.labels(record[0]), cut):
        return False
    one = record[0], signature_of(record)  # the set with its signature
    size = max(sum(10 + len(r[0]) + len(r[4]) for r in m.additional if (r[0], signature_of(r)) == one)
               for m in case.said.values())
    return case.question.tcp and len(case.ours.data) + size + OPT_SIZE > UDP_SIZE


def service_of_a_service(case, record, zone):
    """Knot adds SVCB and HTTPS records of every target, Holdfast those of aliases only: else nobody looks for them"""
    aliases = {name for priority, name in services(case) if not priority}
    return signature_of(record) in (SVCB, HTTPS) and (record[0] not in aliases or record in case.ours.answer)


def proof_of_a_service(case, record, zone):
    """Knot adds proofs of what the target of a service lacks (RFC 9460 4.1); with Holdfast a resolver has to ask"""
    return signature_of(record) in PROOF and any(services(case))


def star_instead(case, record, zone):
    """Knot gives addresses that a target has from a wildcard with the wildcard's name"""
    return record[0].startswith(b"\1*") and not any(r[4].lower().endswith(record[0]) for r in case.ours.answer)


LEFT_OUT = [glue_is_for_referrals, not_its_own, old_types, service_of_a_service, proof_of_a_service, star_instead,
            one_datagram]


def services(case):
    """(priority, target) of the SVCB and HTTPS records answered; the target "." of a service is its owner."""
    for owner, rtype, *_, data in case.ours.answer:
        if rtype in (SVCB, HTTPS):
            priority = int.from_bytes(data[:2], "big")
            target = rawdns.name_read(data, 2)[0]
            yield priority, owner if target == b"\0" and priority else target.lower()


def owner_of_a_service(case, m, record):
    """addresses of a service at its owner (RFC 9460 2.5.2) are added by Holdfast only"""
    return any(r[0] == record[0] and r[1] in (SVCB, HTTPS) for r in case.ours.answer)


def nsd_knows_no_services(case, m, record):
    """NSD adds nothing to SVCB and HTTPS (RFC 9460 4.1)"""
    return m is case.said[NSD] and {signature_of(r) for r in case.ours.answer} <= {CNAME, DNAME, SVCB, HTTPS}


ADDED = [owner_of_a_service, nsd_knows_no_services]


def answering_zone(case):
    """The zone that our answer is from."""
    cut = cut_of(case)
    if cut is None:
        return case.zone_for(rawdns.labels(case.ours.order[-1][0]))
    return max((z for z in case.zones if zonegen.below(cut, z.origin) and z.origin != cut), key=lambda z: len(z.origin))


def additional_reasons(case, m):
    """Why each record stands in one additional section only: functions, or None."""
    zone = answering_zone(case)
    for record in set(m.additional) - set(case.ours.additional):
        yield next((r for r in LEFT_OUT if r(case, record, zone)), None)
    targets = {target for _, target in services(case)}
    for record in set(case.ours.additional) - set(m.additional):
        right = record[0] in targets and record in case.ask(KNOT, record[0], signature_of(record)).answer
        yield next((r for r in ADDED if right and r(case, m, record)), None)


def additional_differs(case, m, different):
    """additional records that Holdfast leaves out or adds, each for one of the reasons named"""
    if different != {"additional"} or not (case.ours.order or cut_of(case)):
        return False
    reasons = set(additional_reasons(case, m))
    if None in reasons:
        return False
    for reason in reasons:
        case.note(reason, "additional")
    return True


def names_passed(case):
    """The names that the answer is about: the question's, and what aliases lead to."""
    yield rawdns.labels(case.question.wire_name.lower())
    yield from (rawdns.labels(r[4]) for r in case.ours.order if r[1] == CNAME)


def nsd_shares_names(case, m, different):
    """NSD keeps the names of all its zones in one tree, and takes a name for existing that only another zone has"""
    for name in names_passed(case):
        zone = case.zone_for(name)
        if not zone or name in zone.nodes:
            continue
        encloser = next(name[i:] for i in range(len(name) + 1) if name[i:] in zone.nodes)
        between = [name[i:] for i in range(len(name) - len(encloser))] + [(b"*",) + encloser]
        if any(n in z.nodes or zonegen.below(z.origin, n) for n in between for z in case.zones if z is not zone):
            return True
    return False


def nsd_mistakes_parent(case, m, different):
    """NSD takes DS at the top of a zone from whichever other zone has NS there, and from no zone where none has"""
    *_, name = names_passed(case)
    if case.question.rtype != DS or all(z.origin != name for z in case.zones):
        return False
    parent = case.zone_for(name)
    return parent.origin == name or "NS" not in parent.types(name) or any("NS" in z.types(name) for z in case.zones
                                                  if z is not parent and z.origin != name)


def any_is_one_set(case, m, different):
    """ANY is answered with one set (RFC 8482 4.1), and which one is everybody's own choice"""
    if case.question.rtype != ANY or different - {"answer", "additional"} or not m.answer or not case.ours.answer:
        return False
    rtype, *more = {signature_of(r) for r in case.ours.answer}
    if more:
        return False
    asked = [case.ask(peer, rtype=rtype) for peer in (NSD, KNOT)]
    more = differences(case.ours, asked[-1]) - {"question"}
    right = any(a.answer == case.ours.answer for a in asked)  # of NSD's tree of names see below
    return right and (not more & {"additional"} or additional_differs(case, asked[-1], more & {"additional"}))


def any_behind_dname(case, m, different):
    """ANY below a DNAME is answered with it and the CNAME that it makes; the others look further"""
    if case.question.rtype != ANY or [r[1] for r in case.ours.order if r[1] != RRSIG] != [DNAME, CNAME]:
        return False
    return set(case.ours.answer) <= set(m.answer) and not case.ours.authority and m.order[0] == case.ours.order[0]


def beside_an_alias(case, m, different):
    """RRSIG, NSEC and NSEC3 may stand beside a CNAME: Knot (and for NSEC3 NSD) does not follow the alias for them"""
    if case.question.rtype not in PROOF or m.rcode != NOERROR or SOA not in {r[1] for r in m.authority}:
        return False
    return not m.answer and case.ours.order and case.ours.order[0][1] == CNAME


def knot_overlong(case, m, different):
    """Knot says NXDOMAIN, and what follows from it, where a DNAME makes a name too long (YXDOMAIN: RFC 6672 2.2)"""
    return case.ours.rcode == YXDOMAIN and different <= {"rcode", "answer", "authority", "additional"}


def knot_asterisk(case, m, different):
    """Knot takes a name with the label * that is not there for the wildcard that answers it, and leaves out proofs"""
    zones = [(name, case.zone_for(name)) for name in names_passed(case) if b"*" in name]
    star = any(zone and name not in zone.nodes for name, zone in zones)
    more = set(case.ours.authority) - set(m.authority)
    return different == {"authority"} and star and set(m.authority) < set(case.ours.authority) and (
        {signature_of(r) for r in more} <= PROOF)


def nsec_from_wildcard(case, m, different):
    """NSEC asked for, and answered from a wildcard: Holdfast adds the proof as to any wildcard, which is the same record"""
    asked = case.question.rtype == NSEC and different == {"authority"} and not m.authority
    return asked and {signature_of(r) for r in case.ours.authority} == {NSEC}


def nsd_all_signatures(case, m, different):
    """RRSIG is answered with the signatures of one set; NSD sends those of all"""
    return case.question.rtype == RRSIG and different == {"answer"} and set(case.ours.answer) < set(m.answer)


def nsd_proves_otherwise(case, m, different):
    """NSD adds NSEC or NSEC3 records that a proof does not need, or takes the sibling's that stands before a wildcard"""
    ours, theirs = ({r for r in x.authority if signature_of(r) not in PROOF} for x in (case.ours, m))
    return different == {"authority"} and ours == theirs


def empty_wildcard(case, m, different):
    """of a wildcard that holds nothing itself Holdfast proves just that (RFC 4035 3.1.3.4), with NSEC the peers do not"""
    *_, name = names_passed(case)
    zone, more = case.zone_for(name), set(case.ours.authority) - set(m.authority)
    star = zone and zone.answering(name)
    if different != {"authority"} or not more or set(m.authority) - set(case.ours.authority):
        return False
    if star is None or star == name or star in zone.records:
        return False
    return more <= set(case.ask(KNOT, zonegen.name_wire(star)).authority)


def class_any(case, m, different):
    """class ANY is refused: NSD and Knot answer as if it were IN, NSD without AA (RFC 1035 6.2)"""
    return case.question.rclass == CLASS_ANY and case.ours.rcode == REFUSED and not case.ours.answer


def nsd_forgets_question(case, m, different):
    """NSD does not repeat the question where it refuses a class"""
    return case.question.rclass != CLASS_IN and different == {"question"} and m.rcode == REFUSED


# Those in EXACT account for every record; with the others one peer has to agree to the bit.
EXACT = [class_any, empty_wildcard, additional_differs, any_is_one_set, any_behind_dname, beside_an_alias, knot_asterisk,
         nsec_from_wildcard]
REASONS = {NSD: EXACT + [nsd_forgets_question, nsd_shares_names, nsd_mistakes_parent, nsd_proves_otherwise, nsd_all_signatures],
           KNOT: EXACT + [knot_overlong]}


# ---- judging ----

def judge(case):
    """None, or what is wrong."""
    if not case.ours:
        return case.malformed
    said = next(faults(case), None)
    if said:
        return said
    if case.malformed:
        case.found[case.malformed.split(":")[0]] += 1
        return None
    if not case.question.tcp and differs_in_room(case):
        case.full = full = case.over_tcp()
        said = next(truncation_faults(case, full), None) or judge(full)
        case.unknown = full.unknown
        return said
    for server in case.servers:
        m = case.said[server.label]
        for habit in HABITS[server.label]:
            if habit(case, server, m):
                case.note(habit, server.label)
    return compare(case)


def differs_in_room(case):
    """May the size of a datagram be why the three differ?"""
    if any(m.truncated for m in case.said.values()):
        return True
    return any(len(m.data) > limit(case.question) // 2 for m in case.said.values()) and any(
        differences(case.ours, case.said[p]) for p in (NSD, KNOT))


def compare(case):
    equal, exact, unknown = 0, 0, []
    for label in (NSD, KNOT):
        different = differences(case.ours, case.said[label])
        if not different:
            equal += 1
            continue
        reason = next((r for r in REASONS[label] if r(case, case.said[label], different)), None)
        if reason:
            case.note(reason, label)
            exact += reason in EXACT
        else:
            unknown.append(f"{label} differs in {', '.join(p for p in PARTS if p in different)}")
    if unknown and equal + exact:
        case.found["? " + unknown[0]] += 1
        case.unknown = unknown
        return None
    if equal + exact == 0:
        return "; ".join(unknown) or "both peers differ, each for a reason of its own"
    return None
