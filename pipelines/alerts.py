"""Alerts: a failed run is logged, and posted to a webhook where one is set."""

import json
import logging
import os
import urllib.request

import dagster as dg

#: A secret: whoever has the address can post. It is read at each alert and never shown.
WEBHOOK = "BIKECAST_ALERT_WEBHOOK"
TIMEOUT_SECONDS = 10.0
log = logging.getLogger("bikecast.alerts")


def failure_alerts() -> dg.SensorDefinition:
    """One alert a failed run; off by default."""

    @dg.run_failure_sensor(
        name="failure_alerts",
        default_status=dg.DefaultSensorStatus.STOPPED,
        description="Logs each failed run, and posts it as JSON to the address in "
        f"{WEBHOOK}, if that is set. Off until switched on here.",
    )
    def alert(context: dg.RunFailureSensorContext) -> None:
        run = context.dagster_run
        text = f"{run.job_name} failed: {context.failure_event.message or 'no reason given'}"
        context.log.error(text)
        send_alert({"text": text, "run_id": run.run_id, "job": run.job_name})

    return alert


def send_alert(alert: dict[str, str]) -> bool:
    """Log an alert and post it to the webhook; False where that was set and did not answer.

    A webhook that fails is logged without its address: an alert must not raise another one.
    """
    log.error("%s", alert["text"])
    url = os.environ.get(WEBHOOK)
    if not url:
        return True
    if not url.startswith(("https://", "http://")):
        log.error("%s is not an http(s) address; the alert was only logged", WEBHOOK)
        return False
    request = urllib.request.Request(  # noqa: S310 # the scheme was checked
        url,
        data=json.dumps(alert).encode(),
        headers={"Content-Type": "application/json"},
        method="POST",
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 # as above
            return True
    except OSError as error:
        reason = getattr(error, "code", None) or type(error).__name__
        log.error("the webhook did not take the alert: %s", reason)
        return False
