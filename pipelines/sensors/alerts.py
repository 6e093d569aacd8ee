"""Alerts: a failed run is logged, and posted to a webhook where one is set."""

import json
import logging
import urllib.request

import dagster as dg

#: The setting. A secret: whoever has the address can post, so it is never shown.
WEBHOOK = "BIKECAST_ALERT_WEBHOOK"
TIMEOUT_SECONDS = 10.0
log = logging.getLogger("bikecast.alerts")


def failure_alerts(webhook: str) -> dg.SensorDefinition:
    """One alert a failed run; off by default. An empty webhook leaves it at the log."""

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
        send_alert({"text": text, "run_id": run.run_id, "job": run.job_name}, webhook)

    return alert


def send_alert(alert: dict[str, str], webhook: str) -> bool:
    """Log an alert and post it to the webhook; False where that was set and did not answer.

    A webhook that fails is logged without its address: an alert must not raise another one.
    """
    log.error("%s", alert["text"])
    if not webhook:
        return True
    request = urllib.request.Request(  # noqa: S310 # the settings take http(s) only
        webhook,
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
