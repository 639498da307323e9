"""The settings of the HTTP API and the console."""

from typing import Annotated, Self

from pydantic import BaseModel, Field, SecretStr, model_validator
from pydantic_settings import NoDecode

from sesbounce.oidc_settings import DEFAULT_SCOPES, LoadBalancer, read_load_balancer


class ServeSettings(BaseModel):
    """Where `sesbounce serve` listens, and whom it answers."""

    serve_host: str = Field(
        default="127.0.0.1",
        description="IP address on which `sesbounce serve` listens; one that other machines reach "
        "needs a token or a load balancer that authenticates (docs/api.md)",
    )
    serve_port: int = Field(
        default=8080, ge=1, le=65535, description="port on which `sesbounce serve` listens"
    )
    serve_rate: float = Field(
        default=100.0,
        gt=0,
        le=1_000_000,
        description="number of requests that `sesbounce serve` answers in a second for one "
        "token or person, on average; ten seconds' worth may come at once",
    )
    serve_oidc_load_balancer: str | None = Field(
        default=None,
        description="ARN of the Application Load Balancer whose header `x-amzn-oidc-data` tells "
        "`sesbounce serve` which person asks (docs/api.md)",
    )
    serve_oidc_issuer: str | None = Field(
        default=None,
        description="issuer in the authenticate action of that load balancer's listener",
    )
    serve_oidc_client: str | None = Field(default=None, description="client id in that action")
    serve_oidc_scopes: str = Field(
        default=DEFAULT_SCOPES,
        description="scopes of every person whom that load balancer lets in, separated by commas; "
        "`none` for no scope",
    )
    serve_oidc_grants: str | None = Field(
        default=None,
        description="further scopes of some people: a JSON object with lists of scopes by "
        "`CLAIM=VALUE`",
    )
    serve_console: bool = Field(
        default=False,
        description="whether `sesbounce serve` serves the console (docs/console.md) as well",
    )
    serve_secret: Annotated[list[SecretStr], NoDecode] = Field(
        default=[],
        description="secret of at least 32 characters that encrypts the sessions and links of the "
        "console; commas separate several, the newest first; empty: each process makes its own, "
        "and people log in once more after it starts",
    )

    @model_validator(mode="after")
    def _load_balancer_is_whole(self) -> Self:
        _ = self.load_balancer
        return self

    @property
    def load_balancer(self) -> LoadBalancer | None:
        """The load balancer that tells `sesbounce serve` which person asks."""
        return read_load_balancer(
            self.serve_oidc_load_balancer,
            self.serve_oidc_issuer,
            self.serve_oidc_client,
            self.serve_oidc_scopes,
            self.serve_oidc_grants,
        )
