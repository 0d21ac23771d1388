"""Answers every line on standard input with who it is to AWS STS, as JSON.

A service like any other, with one client for up to eight calls at a time.
Nothing here knows of rotations, nor of files: boto3 finds its credentials.
"""

import concurrent.futures
import json
import os
import sys

import boto3


def main():
    session = boto3.Session()
    sts = session.client("sts", endpoint_url=os.environ["AWS_ENDPOINT_URL_STS"])  # read by itself since 1.28

    def answer():
        try:
            reply = sts.get_caller_identity()
            said = {"Arn": reply["Arn"], "Account": reply["Account"], "Region": session.region_name}
        except Exception as error:  # some that tell of expired credentials are plain RuntimeErrors
            said = {"Error": f"{type(error).__name__}: {error}"}
        said["Version"] = boto3.__version__
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()

    with concurrent.futures.ThreadPoolExecutor(max_workers=8) as threads:
        for _ in sys.stdin:
            threads.submit(answer)


main()
