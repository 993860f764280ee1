"""The contextual fabric: episodes, associations, activation from use, feedback."""

from mnemoloom.fabric.activation import Activation, level, prior, use
from mnemoloom.fabric.episodes import Episodes, episodes_of
from mnemoloom.fabric.feedback import Feedback, asked, useful
from mnemoloom.fabric.links import (
    KINDS,
    Links,
    Related,
    episode_links,
    joined,
    related_to,
    similar_links,
    superseding_links,
    without,
)

__all__ = [
    "KINDS",
    "Activation",
    "Episodes",
    "Feedback",
    "Links",
    "Related",
    "asked",
    "episode_links",
    "episodes_of",
    "joined",
    "level",
    "prior",
    "related_to",
    "similar_links",
    "superseding_links",
    "use",
    "useful",
    "without",
]
