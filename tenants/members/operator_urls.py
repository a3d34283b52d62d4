"""Addresses of the pages of members, of the operator."""

from django.urls import path

from tenants.members import files
from tenants.members.pages import people

urlpatterns = [
    path("members/", people.members["operator"], name="operator-members"),
    path("members.csv", files.members_csv["operator"], name="operator-members-csv"),
    path("members/<int:member_id>/", people.member["operator"], name="operator-member"),
    path("members/invitations/<uuid:invitation_id>/", people.invitation["operator"], name="operator-invitation"),
]
