"""Alerts: one line of text, posted to the address of the connection `alerts`."""

from __future__ import annotations

import logging
from typing import Any

import httpx
from airflow.sdk import BaseNotifier

from airflow_impl import connections

log = logging.getLogger(__name__)


class Webhook(BaseNotifier):
    """Post `{"text": ...}`, as chat tools take it. One that is down is logged: it must not fail what it tells of.

    Args:
        text: a template.
    """

    template_fields = ("text",)

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text

    def notify(self, context: Any) -> None:
        """Post the text; without an address nobody wants to know."""
        alerts = connections.find("alerts")
        if alerts is None or not alerts.host:
            return
        try:
            httpx.post(alerts.host, json={"text": self.text}, timeout=10).raise_for_status()
        except httpx.HTTPError as error:
            log.warning("the alert was not delivered: %s", error)
