"""Addresses of the pages of members, of a provider."""

from django.urls import path

from tenants.members import files
from tenants.members.pages import people

urlpatterns = [
    path("members/", people.members["provider"], name="provider-members"),
    path("members.csv", files.members_csv["provider"], name="provider-members-csv"),
    path("members/<int:member_id>/", people.member["provider"], name="provider-member"),
    path("members/invitations/<uuid:invitation_id>/", people.invitation["provider"], name="provider-invitation"),
]
