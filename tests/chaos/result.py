"""What one fault did: one line for people, one object for docs/reliability.md."""

import dataclasses


@dataclasses.dataclass
class Result:
    name: str
    fault: str           # what was made
    ran: str             # what was running
    moved: int           # bytes received at both ends meanwhile
    lost: int            # bytes sent that never came, of connections that were to live
    pause_ms: float      # the longest that a reader waited; None where nothing was to wait
    resumed: int = 0     # carriers that took over from a broken one
    wrong: list = dataclasses.field(default_factory=list)  # empty when all is well
    skipped: str = ""    # why it was not made

    def line(self):
        if self.skipped:
            return f"skipped {self.name}: {self.skipped}"
        pause = "" if self.pause_ms is None else f", {self.resumed} takeovers, longest pause {self.pause_ms:.0f} ms"
        head = f"{'FAILED' if self.wrong else 'ok':7} {self.name}: {self.fault}; {self.ran}: {self.moved / 1e6:.1f} MB, "
        return head + f"{self.lost} bytes lost{pause}" + "".join(f"\n          {each}" for each in self.wrong[:10])


def skipped(name, why):
    return Result(name, "", "", 0, 0, None, skipped=why)
