"""The address that an invitation's letter leads to."""

from django.urls import path

from tenants.members.pages import invited

urlpatterns = [path("invitations/<str:token>/", invited.invitation, name="invitation")]
