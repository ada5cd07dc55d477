"""Checksums: whether digits can be a card number, and letters and digits an IBAN.

Lives here: Luhn's sum (ISO/IEC 7812-1), the remainder by 97 and the lengths of IBANs (ISO 13616, SWIFT's registry).
Does not: find either in a text.
"""

from __future__ import annotations


def luhn(digits: str) -> bool:
    """Whether the last digit checks the others.

    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    doubled = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)
    back = [int(digit) for digit in reversed(digits)]
    return (sum(back[::2]) + sum(doubled[digit] for digit in back[1::2])) % 10 == 0


def mod_97(compact: str) -> bool:
    """Whether an IBAN without spaces, in capitals, has the right check digits.

    >>> mod_97("GB82WEST12345698765432"), mod_97("GB83WEST12345698765432")
    (True, False)
    """
    return int("".join(str(int(sign, 36)) for sign in compact[4:] + compact[:4])) % 97 == 1


_LENGTHS = """
    AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 ES24
    FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21
    LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 QA29 RO24 RS22
    RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30
"""
IBAN_LENGTHS = {part[:2]: int(part[2:]) for part in _LENGTHS.split()}
"""Length of an IBAN by country."""
