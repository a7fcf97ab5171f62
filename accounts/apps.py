from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Who acts, with what credential."""

    name = "accounts"

    def ready(self) -> None:
        from accounts import vault

        # A process with an unusable key ring must not start (security.md T05).
        vault.key_ring()
