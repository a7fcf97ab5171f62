"""Credentials, people and the audit in the Django admin."""

from accounts.admin import audit, groups, people, service_accounts

__all__ = ["audit", "groups", "people", "service_accounts"]
