"""What can be set of MLGym's agent; the defaults are those of all published runs."""

from typing import Annotated, Literal

import msgspec

from engine.errors import BadSpecification
from engine.messages import Value
from engine.models.interface import Settings
from roles.mlgym.shell import SHORT_SECONDS, TRAINING_SECONDS, WINDOW, ShellSettings

Count = Annotated[int, msgspec.Meta(ge=1)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class MlgymSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The table ``[strategy.settings]`` of a team with the strategy ``mlgym``."""

    steps: Count = 50
    observations: Count = 5
    """How many of the last observations the model still sees in full."""
    window: Annotated[int, msgspec.Meta(ge=20)] = WINDOW
    short_seconds: Seconds = SHORT_SECONDS
    training_seconds: Seconds = TRAINING_SECONDS
    sampling: Literal["mlgym", "endpoint"] = "mlgym"
    """Temperature 0 and top-p 0.95, or whatever the endpoint takes by itself (some refuse to be told)."""
    memory: bool = False
    """Whether ``memory_write`` and ``memory_read`` are there, for one episode."""

    def shell(self) -> ShellSettings:
        """Those of the shell."""
        return ShellSettings(
            short_seconds=self.short_seconds, training_seconds=self.training_seconds, window=self.window
        )

    def model(self) -> Settings:
        """Those of a model's call."""
        return Settings(temperature=0.0, top_p=0.95) if self.sampling == "mlgym" else Settings()


def settings_from(values: dict[str, Value]) -> MlgymSettings:
    """Read a team's settings.

    Raises:
        BadSpecification: naming what cannot be set so.
    """
    try:
        return msgspec.convert(values, MlgymSettings)
    except msgspec.ValidationError as error:
        names = ", ".join(MlgymSettings.__struct_fields__)
        raise BadSpecification("strategy.settings", f"{error}; allowed are {names}") from error
