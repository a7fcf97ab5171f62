"""Addresses of sign-in and of the pages about oneself."""

from django.urls import path

from accounts import group_views, pending_views, views

app_name = "accounts"
urlpatterns = [
    path("login/", views.sign_in, name="sign_in"),
    path("login/globus/", views.begin, name="begin"),
    path("complete/globus/", views.complete, name="complete"),
    path("logout/", views.sign_out, name="sign_out"),
    path("pending/<str:reference>/", pending_views.going_on, name="pending"),
    path("account/", views.account, name="account"),
    path("groups/", group_views.my_groups, name="groups"),
    path("groups.csv", group_views.my_groups_csv, name="groups_csv"),
    path(
        "groups/<uuid:group_id>/answer/",
        group_views.answer_invitation,
        name="answer_invitation",
    ),
]
