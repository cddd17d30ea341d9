"""The pipeline's requests to AWS as plain data: the arguments of boto3 calls, policies and models."""
