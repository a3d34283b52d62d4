"""Addresses of the API of members and invitations, below `/api/v1/`."""

from django.urls import path

from tenants.members import api

urlpatterns = [
    path("members", api.MembersView.as_view(), name="api-members"),
    path("members/<uuid:person_id>", api.MemberView.as_view(), name="api-member"),
    path("invitations", api.InvitationsView.as_view(), name="api-invitations"),
    path("invitations/<uuid:invitation_id>", api.InvitationView.as_view(), name="api-invitation"),
    path("invitations/<uuid:invitation_id>/resend", api.ResendView.as_view(), name="api-invitation-resend"),
]
