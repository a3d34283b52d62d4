"""Addresses of the pages of members, of a tenant."""

from django.urls import path

from tenants.members import files
from tenants.members.pages import people

urlpatterns = [
    path("members/", people.members["tenant"], name="tenant-members"),
    path("members.csv", files.members_csv["tenant"], name="tenant-members-csv"),
    path("members/<int:member_id>/", people.member["tenant"], name="tenant-member"),
    path("members/invitations/<uuid:invitation_id>/", people.invitation["tenant"], name="tenant-invitation"),
]
