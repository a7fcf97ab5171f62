"""Routes below ``/auth/``."""

from django.urls import path, re_path

from sandbox.auth import api, authorize, grants, registration

urlpatterns = [
    path(".well-known/openid-configuration", api.discovery),
    path("jwk.json", api.jwk),
    path("v2/oauth2/authorize", authorize.authorize),
    path("v2/oauth2/token", grants.token),
    path("v2/oauth2/token/revoke", api.revoke),
    path("v2/oauth2/token/validate", api.validate),
    path("v2/oauth2/token/introspect", api.introspect),
    path("v2/oauth2/userinfo", api.userinfo),
    path("v2/api/clients", registration.register),
    path("v2/api/clients/<str:client_id>", registration.delete),
    path("v2/api/identities", api.identities_list),
    path("v2/api/identities/<str:identity_id>/consents", api.consents_list),
    path("v2/web/auth-code", authorize.auth_code),
    path("v2/web/logout", authorize.logout),
    re_path("", api.unknown),
]
