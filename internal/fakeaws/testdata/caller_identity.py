"""Prints who the AWS SDK for Python is to the STS at the URL given, as JSON."""

import json
import sys

import boto3

reply = boto3.client("sts", endpoint_url=sys.argv[1]).get_caller_identity()
print(json.dumps({"Arn": reply["Arn"], "Account": reply["Account"]}))
