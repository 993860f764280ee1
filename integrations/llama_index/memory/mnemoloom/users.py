"""Who a user is, as applications name them."""

from __future__ import annotations

from uuid import UUID

from mnemoloom.errors import ValidationError

__all__ = ["UserId", "check_user"]

UserId = str | int | UUID


def check_user(user_id: object) -> str:
    """The label of the user whose memory is meant; there is no default, so that nobody shares one by mistake.

    A whole number or a UUID stands for its digits: 7 is the user "7". Raises ValidationError.
    """
    if isinstance(user_id, str) and user_id.strip():
        return user_id
    if isinstance(user_id, UUID) or (isinstance(user_id, int) and not isinstance(user_id, bool)):
        return str(user_id)
    raise ValidationError(
        "user_id must name the user whose memory this is: a non-empty string, a whole number or a UUID; "
        f"got {user_id!r}"
    )
