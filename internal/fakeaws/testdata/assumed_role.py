"""Assumes the role given at the STS at the URL given, and prints as JSON who the AWS SDK for Python is with its credentials."""

import json
import sys

import boto3

role = boto3.client("sts", endpoint_url=sys.argv[1]).assume_role(
    RoleArn=sys.argv[2],
    RoleSessionName="dev",
    DurationSeconds=900,
    ExternalId="id",
    Policy='{"Statement": []}',
    PolicyArns=[{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
    Tags=[{"Key": "Team", "Value": "a b"}],
    SourceIdentity="you",
)
session = boto3.Session(
    aws_access_key_id=role["Credentials"]["AccessKeyId"],
    aws_secret_access_key=role["Credentials"]["SecretAccessKey"],
    aws_session_token=role["Credentials"]["SessionToken"],
)
reply = session.client("sts", endpoint_url=sys.argv[1]).get_caller_identity()
assert reply["Arn"] == role["AssumedRoleUser"]["Arn"] and reply["UserId"] == role["AssumedRoleUser"]["AssumedRoleId"]
print(json.dumps({"Arn": reply["Arn"], "Account": reply["Account"]}))
