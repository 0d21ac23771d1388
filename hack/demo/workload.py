"""Asks AWS STS who it is, over and over, like any program that runs for days.

Nothing here knows of rotations: boto3 finds the credentials through
AWS_CONFIG_FILE. Prints one line of JSON per call, for the demo to count.
"""

import json
import os
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
        print(json.dumps(call(sts) | access_key), flush=True)
        time.sleep(0.2)


def call(sts):
    try:
        return {"arn": sts.get_caller_identity()["Arn"]}
    except Exception as error:  # some that tell of expired credentials are plain RuntimeErrors
        return {"error": str(error)}


def signed_with(request):
    authorization = request.headers["Authorization"]
    if isinstance(authorization, bytes):
        authorization = authorization.decode()
    return {"accessKeyId": re.search("Credential=([^/]+)/", authorization)[1]}


main()
