"""Answers every line on standard input with who the AWS SDK for Python is to
the AWS STS at the URL given, as one line of JSON."""

import json
import sys

import boto3

session = boto3.Session()
client = session.client("sts", endpoint_url=sys.argv[1])
for _ in sys.stdin:
    reply = client.get_caller_identity()
    print(json.dumps({"Arn": reply["Arn"], "Account": reply["Account"], "Region": session.region_name}), flush=True)
