"""Asks AWS STS who it is, over and over, like any program that runs for days.

Nothing here knows of rotations: boto3 finds the credentials through
AWS_CONFIG_FILE. Prints one line of JSON per call, for people to read and for
programs to count. main.go does the same with the AWS SDK for Go.
"""

import datetime
import json
import os
import pathlib
import re
import time

import boto3
import botocore.config


def main():
    sts = boto3.client(
        "sts",
        endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"],  # read by itself since 1.28
        config=botocore.config.Config(retries={"max_attempts": 0}),  # a retry could hide a failure
    )
    access_key = {}
    sts.meta.events.register("before-send.sts", lambda request, **_: access_key.update(signed_with(request)))
    while True:
        line = {"time": time.strftime("%H:%M:%S")}
        line |= call(sts)
        print(json.dumps(line | access_key), flush=True)
        time.sleep(float(os.environ.get("SECONDS_BETWEEN_CALLS", "0.2")))


def call(sts):
    try:
        return {"secondsLeft": seconds_left(), "arn": sts.get_caller_identity()["Arn"]}
    except Exception as error:  # some that tell of expired credentials are plain RuntimeErrors
        return {"error": str(error)}


def seconds_left():
    """The life that is left to the mounted credentials."""
    mounted = pathlib.Path(os.environ["AWS_CONFIG_FILE"]).with_name("credentials.json")
    expiration = datetime.datetime.strptime(json.loads(mounted.read_text())["Expiration"], "%Y-%m-%dT%H:%M:%S%z")
    return round((expiration - datetime.datetime.now(datetime.timezone.utc)).total_seconds(), 1)


def signed_with(request):
    authorization = request.headers["Authorization"]
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    return {"accessKeyId": re.search("Credential=([^/]+)/", authorization)[1]}


main()
