"""Addresses of sign-in and of the pages about oneself."""

from django.urls import path

from accounts import (
    group_views,
    my_account,
    notification_views,
    pending_views,
    views,
)

app_name = "accounts"
urlpatterns = [
    path("login/", views.sign_in, name="sign_in"),
    path("login/globus/", views.begin, name="begin"),
    path("complete/globus/", views.complete, name="complete"),
    path("logout/", views.sign_out, name="sign_out"),
    path("pending/<str:reference>/", pending_views.going_on, name="pending"),
    path("account/", my_account.account, name="account"),
    path("account/another/", my_account.sign_in_as_another, name="another"),
    path("account/consents/", my_account.consents, name="consents"),
    path("account/take-back/", my_account.take_back, name="take_back"),
    path("account/data.json", my_account.download, name="download"),
    path("account/delete/", my_account.delete, name="delete"),
    path(
        "account/sessions/end-others/",
        my_account.end_other_sessions,
        name="end_other_sessions",
    ),
    path(
        "account/sessions/<slug:handle>/end/",
        my_account.end_session,
        name="end_session",
    ),
    path("notifications/", notification_views.notifications, name="notifications"),
    path(
        "notifications/webhook/",
        notification_views.webhook,
        name="notification_webhook",
    ),
    path(
        "notifications/webhook/on/",
        notification_views.webhook_on,
        name="notification_webhook_on",
    ),
    path(
        "notifications/deliveries/",
        notification_views.deliveries,
        name="notification_deliveries",
    ),
    path("notifications/new/", notification_views.new, name="notifications_new"),
    path("notifications/shown/", notification_views.shown, name="notifications_shown"),
    path("groups/", group_views.my_groups, name="groups"),
    path("groups.csv", group_views.my_groups_csv, name="groups_csv"),
    path(
        "groups/<uuid:group_id>/answer/",
        group_views.answer_invitation,
        name="answer_invitation",
    ),
]
