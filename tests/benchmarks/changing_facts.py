"""Made-up facts about made-up people that change over time, each told in two to five versions.

Nothing here is taken from a data set; everything follows from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from mnemoloom import Draft

PEOPLE = (
    "Aunt Runa", "Bodil", "Cousin Iker", "Dr. Okafor", "Farida", "Grandpa Emil", "Hamish", "Imke", "Jorun", "Kwame",
    "Leocadia", "Uncle Matti",
)  # fmt: skip
SPEAKERS = ("Lena", "Tomas")
ACROSS = timedelta(days=9)  # from one telling to the next, at least


@dataclass(frozen=True)
class Attribute:
    """What can change about a person: its values, ways of telling the first and of telling a later one, questions."""

    values: tuple[str, ...]
    told: tuple[str, ...]
    changed: tuple[str, ...]
    current: str
    first: str
    plain: str


TEXT = (
    Attribute(
        ("a bakery", "the harbour office", "a law firm", "the zoo", "a shipyard", "the tax bureau"),
        ("{who} has a job at {v}.", "{who} earns a living at {v}.", "I bumped into {who}, who works at {v}."),
        ("{who} left that job and is with {v} these days.", "{who} got hired by {v}!", "Big step: {who} works at {v}."),
        "Where does {who} work now?", "Where did {who} work at first?", "Where does {who} work?",
    ),
    Attribute(
        ("Trieste", "Aarhus", "Valparaíso", "Gdańsk", "Nantes", "Windhoek"),
        ("{who} lives in {v}.", "{who} has a flat in {v}.", "We visited {who} at home in {v}."),
        ("{who} packed up and settled in {v}.", "{who} moved to {v}.", "{who} has a new home in {v}."),
        "Where does {who} currently live?", "Where did {who} originally live?", "Where does {who} live?",
    ),
    Attribute(
        ("beekeeping", "fencing", "pottery", "birdwatching", "archery", "embroidery"),
        ("{who} spends every weekend on {v}.", "{who} is really into {v} as a hobby.", "The hobby of {who} is {v}."),
        ("{who} dropped the old hobby and took up {v}.", "{who} is hooked on {v} as a hobby now.",
         "It is {v} that fills the weekends of {who}."),
        "What is the current hobby of {who}?", "What was the first hobby of {who}?", "What is the hobby of {who}?",
    ),
    Attribute(
        ("a greyhound", "two parrots", "a tortoise", "a Siamese cat", "a ferret", "a rabbit"),
        ("{who} keeps {v} as a pet.", "The pet at the house of {who} is {v}.", "{who} adores the pet: {v}."),
        ("The old pet is gone; {who} has {v} instead.", "{who} came home with {v} as a pet.",
         "A new pet for {who}: {v}."),
        "Which pet does {who} have now?", "Which pet did {who} have originally?", "Which pet does {who} have?",
    ),
    Attribute(
        ("the cello", "the trumpet", "the harp", "the accordion", "the oboe", "the banjo"),
        ("{who} is learning {v}.", "{who} practises {v} after dinner.", "The instrument of {who} is {v}."),
        ("{who} switched instruments and plays {v}.", "{who} plays {v} these days, a different instrument.",
         "You should hear {who} on {v}."),
        "Which instrument does {who} play now?", "Which instrument did {who} play first?",
        "Which instrument does {who} play?",
    ),
    Attribute(
        ("a rusty van", "an old Volvo", "a Fiat", "a pickup", "a convertible", "an electric hatchback"),
        ("{who} drives {v}.", "The car of {who} is {v}.", "I saw {who} driving {v}."),
        ("{who} sold the last car and drives {v}.", "{who} got {v}, a different car.", "{who} bought {v} to drive."),
        "What car does {who} drive now?", "What car did {who} drive at first?", "What car does {who} drive?",
    ),
)  # fmt: skip
TYPED = (
    Attribute(
        ("$640", "$715", "$790", "$850", "$905", "$980"),
        ("{who} pays {v} in rent.", "The rent of {who} is {v} a month.", "{who} said the rent is {v}."),
        ("The landlord raised the rent of {who} to {v}.", "{who} pays {v} in rent, it went up.",
         "{who} told me about rent: {v}."),
        "How much rent does {who} pay now?", "How much rent did {who} originally pay?",
        "How much is the rent of {who}?",
    ),
    Attribute(
        ("6:15 am", "7:00 am", "5:45 pm", "8:30 pm", "12:20 pm", "9:10 am"),
        ("The swimming class of {who} is at {v}.", "{who} goes swimming at {v}.", "{who} swims in the class at {v}."),
        ("The swimming class of {who} was rescheduled to {v}.", "{who} swims at {v} instead.",
         "Swimming class for {who} is {v}."),
        "What time is the swimming class of {who} now?", "What time was the first swimming class of {who}?",
        "What time is the swimming class of {who}?",
    ),
    Attribute(
        ("March 4", "April 18", "May 9", "June 27", "July 3", "August 21"),
        ("The thesis of {who} is due on {v}.", "{who} hands in the thesis on {v}.", "Thesis deadline for {who}: {v}."),
        ("The thesis deadline of {who} was extended to {v}.", "{who} has until {v} for the thesis.",
         "{who} says the thesis is due {v}."),
        "When is the thesis of {who} due now?", "When was the thesis of {who} originally due?",
        "When is the thesis deadline of {who}?",
    ),
    Attribute(
        ("4", "9", "13", "17", "22", "26"),
        ("{who} has {v} chickens.", "There are {v} chickens at the place of {who}.", "{who} counted {v} chickens."),
        ("{who} is up to {v} chickens.", "The flock of {who} has grown to {v} chickens.", "{who} has {v} chickens."),
        "How many chickens does {who} have now?", "How many chickens did {who} have at first?",
        "How many chickens does {who} have?",
    ),
    Attribute(
        ("35%", "48%", "55%", "62%", "74%", "88%"),
        ("The roof of {who} is {v} finished.", "{who} has {v} of the roof done.", "{who} reports {v} on the roof."),
        ("{who} reached {v} on the roof.", "The roof of {who} has come along to {v}.",
         "{v} of the roof of {who} is done."),
        "What percentage of the roof of {who} is finished now?",
        "What percentage of the roof of {who} was done at first?",
        "What percentage of the roof of {who} is done?",
    ),
    Attribute(
        ("20 minutes", "35 minutes", "50 minutes", "1 hour", "2 hours", "90 minutes"),
        ("{who} needs {v} for the commute.", "The commute of {who} takes {v}.", "{who} sits on the train for {v}."),
        ("The commute of {who} has been cut to {v}.", "{who} needs {v} to commute these days.",
         "Commuting costs {who} {v}."),
        "How long is the commute of {who} now?", "How long was the commute of {who} originally?",
        "How long is the commute of {who}?",
    ),
)  # fmt: skip
TALK = (
    "It rained all {day}, so I stayed in and {did}.", "Have you ever {did} on a {day}? I had not.",
    "My back hurts since I {did}.", "I {did} with the neighbours, it took the whole {day}.",
    "Guess who {did} last {day}!",
    "On {day} I finally {did}, and it felt great.", "You were right, nobody should have {did} without help.",
)  # fmt: skip
DID = (
    "painted the fence", "sorted old photographs", "repaired the radio", "baked rye bread", "watched the regatta",
    "cleaned the attic", "read by the stove", "planted leeks", "walked the coast path", "lost the keys",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Thursday", "Friday", "Saturday", "holiday", "afternoon")


@dataclass(frozen=True)
class Fact:
    """One thing that changed: the questions, and the external ids of its versions, oldest first."""

    typed: bool
    current: str
    first: str
    plain: str
    versions: tuple[str, ...]


def changing_facts(count: int, *, seed: int = 0) -> tuple[list[Fact], list[Draft]]:
    """`count` facts with text values and as many with typed ones, and their tellings in the order of time."""
    rng = np.random.default_rng(seed)
    facts, drafts = [], []
    for typed, attributes in ((False, TEXT), (True, TYPED)):
        chosen = rng.permutation(len(PEOPLE) * len(attributes))[:count]
        for number in chosen:
            who, attribute = PEOPLE[number % len(PEOPLE)], attributes[number // len(PEOPLE)]
            fact, told = _fact(rng, who, attribute, typed=typed, name=f"{'typed' if typed else 'text'}-{number}")
            facts.append(fact)
            drafts += told
    return facts, sorted(drafts, key=lambda draft: str(draft.time))


def _fact(
    rng: np.random.Generator, who: str, attribute: Attribute, *, typed: bool, name: str
) -> tuple[Fact, list[Draft]]:
    versions = int(rng.integers(2, 6))
    values = rng.permutation(len(attribute.values))[:versions]
    moment = datetime(2025, 1, 1) + timedelta(days=int(rng.integers(0, 60)))
    drafts = []
    for version, value in enumerate(values):
        ways = attribute.changed if version else attribute.told
        text = ways[int(rng.integers(len(ways)))].format(who=who, v=attribute.values[value])
        drafts.append(_turn(rng, text, moment, f"{name}-{version}"))
        moment += ACROSS + timedelta(days=int(rng.integers(0, 40)), hours=int(rng.integers(0, 12)))
    asked = (attribute.current.format(who=who), attribute.first.format(who=who), attribute.plain.format(who=who))
    return Fact(typed, *asked, tuple(str(draft.external_id) for draft in drafts)), drafts


def small_talk(count: int, *, seed: int = 1) -> list[Draft]:
    """Turns that state nothing of the facts."""
    rng = np.random.default_rng(seed)
    drafts = []
    for number in range(count):
        text = _one_of(rng, TALK).format(day=_one_of(rng, DAYS), did=_one_of(rng, DID))
        moment = datetime(2025, 1, 1) + timedelta(days=int(rng.integers(0, 330)), hours=int(rng.integers(0, 24)))
        drafts.append(_turn(rng, text, moment, f"talk-{number}"))
    return drafts


def _turn(rng: np.random.Generator, text: str, moment: datetime, name: str) -> Draft:
    session = moment.date().isoformat()
    return Draft(text=text, speaker=_one_of(rng, SPEAKERS), session=session, time=moment.isoformat(), external_id=name)


def _one_of(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]
