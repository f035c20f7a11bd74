"""One attack, and what it did: one line for people, one object for docs/reliability.md."""

import dataclasses


@dataclasses.dataclass
class Result:
    name: str
    attack: str   # what was done, in a few words
    figures: str  # what it cost, in a few words
    wrong: list = dataclasses.field(default_factory=list)  # a sentence for each bar that was missed; empty when it held
    skipped: str = ""  # why it was not tried

    def line(self):
        if self.skipped:
            return f"skipped {self.name}: {self.skipped}"
        head = f"{'FAILED' if self.wrong else 'held':7} {self.name}: {self.attack}: {self.figures}"
        return head + "".join(f"\n          {each}" for each in self.wrong[:10])


class Attack:
    """`act(arena)` returns (attack, figures, wrong), the members of a Result."""

    def __init__(self, name, act):
        self.name = name
        self.act = act

    def make(self, arena):
        if why := arena.obstacle_to(self.act):
            return Result(self.name, "", "", skipped=why)
        return Result(self.name, *self.act(arena))

    def failed(self, why):
        return Result(self.name, "it could not be carried through", why, [why])
