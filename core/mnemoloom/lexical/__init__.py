"""Words and how well they match: text analysis, persistent postings, windowed BM25."""

from mnemoloom.lexical.analysis import Analyzer
from mnemoloom.lexical.bm25 import Window, bm25_scores, idf
from mnemoloom.lexical.postings import Postings, Vocabulary
from mnemoloom.lexical.wording import specifics, wording

__all__ = ["Analyzer", "Postings", "Vocabulary", "Window", "bm25_scores", "idf", "specifics", "wording"]
