"""What one run is asked to post."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from include.faults import LastingError

CONTINUE = "continue"
START_PATTERN = r"^(continue|[0-9]{1,8})$"
LARGEST_START = 99_999_999
MOST_POSTS = 1_000_000
LARGEST_BATCH = 5_000
LARGEST_SEED = 2**32 - 1


class PostingOrderError(LastingError, ValueError):
    """An order is out of bounds. The message names every bad param, its value and what is expected."""


class PostingOrder(BaseModel):
    """How many posts of which seed, starting at which draw, at what pace, and how many records per request.

    ``start`` is the number of the first draw, or ``continue``: the draw after the last one any run of this seed posted.
    ``mode`` applies only to Kinesis: one record per request (``record``) or many (``records``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    posts: Annotated[int, Field(ge=1, le=MOST_POSTS)] = 500
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 100
    start: Annotated[str, StringConstraints(pattern=START_PATTERN)] = CONTINUE
    pace: Literal["none", "emulated"] = "none"
    batch_size: Annotated[int, Field(ge=1, le=LARGEST_BATCH)] = 500
    mode: Literal["record", "records"] = "records"

    @classmethod
    def parse(cls, **params: Any) -> Self:
        """Parse a run's params, numbers or text. Raises PostingOrderError, which lists all problems at once."""
        try:
            return cls.model_validate({**params, "start": str(params.get("start", CONTINUE))})
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, e['loc'])) or 'params'}: {e['msg']}, got {e['input']!r}" for e in error.errors()
            )
            raise PostingOrderError(f"The run's params are not valid: {problems}") from error

    @property
    def first_draw(self) -> int | None:
        """The draw that ``start`` names; None to continue where the seed's last run ended."""
        return None if self.start == CONTINUE else int(self.start)
