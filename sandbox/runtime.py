"""What this run of the sandbox was started with."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Runtime:
    data: Path = Path()
    url: str = "http://127.0.0.1:9300"
    seed: str = "demo"
    redirect_uris: list[str] = field(default_factory=list)

    @property
    def auth_url(self) -> str:
        """The issuer: like Globus's, without a slash at its end."""
        return f"{self.url}/auth"

    @property
    def collections(self) -> Path:
        return self.data / "collections"

    @property
    def unfinished_files(self) -> Path:
        """Where a copy is written before it is renamed into its collection."""
        return self.data / "unfinished"


runtime = Runtime()
