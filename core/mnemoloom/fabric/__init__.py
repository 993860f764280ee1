"""The contextual fabric: episodes, associations, activation from use, feedback."""

from mnemoloom.fabric.activation import Activation, faded, level, prior, use
from mnemoloom.fabric.episodes import Episodes, episodes_of
from mnemoloom.fabric.feedback import Feedback, asked, useful
from mnemoloom.fabric.links import (
    KINDS,
    Links,
    Path,
    best_paths,
    episode_links,
    episode_links_from,
    joined,
    related_to,
    similar_links,
    similar_links_from,
    superseding_links,
    without,
)

__all__ = [
    "KINDS",
    "Activation",
    "Episodes",
    "Feedback",
    "Links",
    "Path",
    "asked",
    "best_paths",
    "episode_links",
    "episode_links_from",
    "episodes_of",
    "faded",
    "joined",
    "level",
    "prior",
    "related_to",
    "similar_links",
    "similar_links_from",
    "superseding_links",
    "use",
    "useful",
    "without",
]
