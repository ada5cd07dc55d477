"""Wider vocabulary: the slots and templates that the second demo model knows besides those of vocabulary.py.

Lives here: the words, as data. Does not: drawing sentences from them (sentences.py). Lower case without punctuation, as
there. No outside text was used.

Training speaks all of them. But the model has 3-5 MB, and took "open" for "opened" and "can" for "cash": so those that
are one sound apart from a word of the first vocabulary (`ONE_SOUND_APART`) are not exported, and it never writes them.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(line: str) -> tuple[str, ...]:
    return tuple(line.split())


WIDER_SLOTS: Mapping[str, tuple[str, ...]] = {
    "first": _words(
        "michael linda susan daniel karen nancy steven alice brian julia simon olivia frank grace oliver sophia victor"
    ),
    "last": _words("clark lewis young king adams turner parker evans collins morgan campbell"),
    "comp": (
        "silver lake bank",
        "northern gas",
        "happy travel",
        "golden castle hotel",
        "express cargo",
        "delta mobile",
    ),
    "prod": (
        *_words("television speaker charger modem fridge dishwasher microphone scanner projector kettle oven mattress"),
        *_words("sofa desk lamp mirror jacket bicycle"),
        "vacuum cleaner",
    ),
    "city": _words(
        "oslo prague warsaw lisbon athens geneva hamburg munich toronto sydney houston dallas denver seattle"
    ),
    "street": ("church lane", "king street", "river road", "castle hill", "bridge street", "oak avenue"),
    "ord": _words("seventh eighth ninth eleventh twelfth twentieth thirtieth"),
    "color": _words("yellow orange purple grey pink"),
    "dept": ("accounts", "legal", "security", "claims", "returns", "marketing", "quality control"),
    "adj": _words("cracked scratched empty dirty noisy stolen defective incomplete"),
    "feel": _words("upset annoyed pleased surprised grateful nervous"),
    "thing": _words(
        "subscription statement receipt voucher ticket booking reservation membership loan mortgage deposit"
        " signature document certificate claim replacement shipment package"
    ),
    "plan": _words("gold student weekend annual digital"),
    "idw": _words("ticket booking member passport"),
    "soft": _words("application website software browser program"),
    "place": _words("kitchen bedroom garage cellar office shop station airport hospital school"),
    "who": _words("husband wife mother father brother sister daughter neighbor friend colleague lawyer"),
    "freq": _words("daily weekly monthly yearly"),
}
"""More values for the slots of vocabulary.py, and slots of the templates below."""

WIDER_TEMPLATES: tuple[str, ...] = (
    "please stay on the line a supervisor will be with you shortly",
    "all our operators are busy at the moment",
    "your opinion is important to us",
    "let me explain how the {plan} option works",
    "could you confirm the last three digits of your {idw} number",
    "i have opened a ticket for this issue",
    "the error code is {digits}",
    "which version of the {soft} do you use",
    "please download the latest update and install it",
    "please log in to the {soft} and choose settings",
    "you can track your {thing} online",
    "we will ship the {prod} to {city} {when}",
    "the courier tried to deliver your {thing} on {day}",
    "the {prod} has a guarantee of {num} years",
    "unfortunately the {prod} is out of stock until {month}",
    "i recommend the {plan} package because it is cheaper",
    "the interest rate is {num} percent",
    "the annual fee for this card is {money}",
    "we have blocked your debit card for security reasons",
    "i will activate the {plan} tariff right now",
    "may i put you on hold for a minute",
    "i suggest that we schedule a visit for {date}",
    "our engineer needs access to the {place}",
    "did you receive the text message with the pin code",
    "please do not share this code with anybody",
    "your {thing} expires on {date}",
    "would you like to renew or extend your {thing}",
    "we accept cash and all major cards",
    "our shop in {city} opens at {d} and closes at {d}",
    "i have written down your comments",
    "i promise to contact you before {day}",
    "please follow the instructions in the manual",
    "the network in {city} was down during the night",
    "we are currently solving a technical fault near {city}",
    "your request has been approved",
    "your application was rejected because of a missing {thing}",
    "let us compare both offers together",
    "the installment is {money} every month",
    "you still owe us {money}",
    "the deadline for the payment is {date}",
    "please keep the original box and the receipt",
    "could you describe what happened exactly",
    "i am calling on behalf of my {who}",
    "my {who} bought a {prod} at your shop in {city}",
    "i left my {prod} in the {place}",
    "the {prod} in the {place} makes a strange sound",
    "the screen of my {prod} stays dark",
    "the cable does not fit the {prod}",
    "the {soft} crashes again and again",
    "i cannot log in to the {soft}",
    "i have no signal in the {place}",
    "the download speed is terrible since {day}",
    "i already explained everything to your colleague",
    "your competitor offers the same {prod} for {money}",
    "i do not agree with this decision",
    "this is the worst experience of my life",
    "that would be wonderful",
    "perfect that solves my question",
    "could you speak a little louder please",
    "hold on i am looking for a pen",
    "i need to think about it first",
    "let me talk to my {who} about that",
    "i would rather pay in cash",
    "can i exchange the {color} {prod} for a {color} one",
    "i want to return the {prod} because it is too small",
    "the package was opened and the {prod} was {adj}",
    "somebody used my card in {city} without permission",
    "i would like to book a double room for {num} nights",
    "what time does the flight to {city} leave",
    "the train from {city} to {city} was cancelled",
    "can i bring my dog on board",
    "i want to report an accident near {city}",
    "water is leaking in the {place}",
    "the power went off in the whole building",
    "i moved to {city} in {month}",
    "do you prefer {freq} or {freq} payments",
    "my salary arrives on the {ord} of each month",
    "how do i reset the pin of my {prod}",
    "i am afraid that i lost the key to my {place}",
    "maybe you could give me a better price",
    "never mind i will try again later",
    "of course i can wait a few minutes",
    "honestly i expected more from {comp}",
    "actually the {prod} works fine now",
    "either you repair the {prod} or i cancel the {thing}",
    "nobody answers when i call the {dept} team",
    "take care and enjoy your weekend",
    "it was a pleasure to talk to you",
    "could you leave the {thing} with my {who}",
    "the doorbell is broken so please knock",
    "some parts of the {prod} are missing",
    "the {prod} arrived but the handle was {adj}",
    "i only received half of the goods",
    "is the {prod} made of plastic or metal",
    "how heavy is the {prod}",
    "does the {prod} come with a charger",
    "please remove my number from your list",
    "how did you get my private number",
    "we hope to welcome you as a guest soon",
    "it depends on the distance between the cities",
)
"""Lines of both sides, in no order."""

ONE_SOUND_APART = frozenset(
    (
        *_words("accounts answers arrives as book both building cards care cash castle charger cities code contact"),
        *_words("dark deliver eighth eleventh fee few fine fit flight get gold goods grace grey half hill hope key"),
        *_words("knock lake later life list loan log made makes mirror more near needs nervous night nights ninth oak"),
        *_words("offers opened opens out owe parker payments pen pin pleased rate receipt seventh share since so some"),
        *_words("soon sound speaker speed talk text think time try turner us use wait water went what which whole"),
        *_words("wife worst"),
    )
)
"""Of these words, those whose phones, as flite's slt says them, are those of a word of the first vocabulary but for one
that is another, one more or one less."""
