"""Upload a video, watch its analysis and count what is in it, with gql.

    pip install "gql[aiohttp,websockets]"
    python examples/python_gql.py clip.mp4

FRAMEWISE_URL is the server (http://127.0.0.1:8000), FRAMEWISE_USERNAME and FRAMEWISE_PASSWORD an account.
"""

import asyncio
import os
import sys

from gql import Client, FileVar, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport
from gql.transport.websockets import WebsocketsTransport

URL = os.environ.get("FRAMEWISE_URL", "http://127.0.0.1:8000") + "/graphql"

SIGN_IN = """
mutation ($input: SignInInput!) {
  signIn(input: $input) { session { accessToken } userErrors { message } }
}
"""
UPLOAD = """
mutation ($files: [Upload!]!) {
  uploadVideos(files: $files, analyze: {}) { analyses { id } userErrors { message } }
}
"""
PROGRESS = """
subscription ($id: ID!) {
  analysisProgress(id: $id) { status progress errorMessage counts { label detections tracks } }
}
"""


async def main(video: str) -> int:
    async with Client(transport=AIOHTTPTransport(URL)) as session:
        login = {"username": os.environ["FRAMEWISE_USERNAME"], "password": os.environ["FRAMEWISE_PASSWORD"]}
        answer = await session.execute(GraphQLRequest(SIGN_IN, variable_values={"input": login}))
        token = checked(answer["signIn"])["session"]["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}

    async with Client(transport=AIOHTTPTransport(URL, headers=headers), execute_timeout=None) as session:
        file = FileVar(video, streaming=True)
        answer = await session.execute(
            GraphQLRequest(UPLOAD, variable_values={"files": [file]}), upload_files=True
        )
        (analysis,) = checked(answer["uploadVideos"])["analyses"]

    # The subscription begins with the present state and ends after the last one.
    socket = WebsocketsTransport(URL.replace("http", "ws", 1), init_payload=headers)
    state = {}
    async with Client(transport=socket) as session:
        async for event in session.subscribe(
            GraphQLRequest(PROGRESS, variable_values={"id": analysis["id"]})
        ):
            state = event["analysisProgress"]
            print(f"{state['status']} {state['progress']:.0f} %")

    if state["status"] != "SUCCEEDED":
        print(state["errorMessage"] or state["status"])
        return 1
    for count in state["counts"]:
        print(f"{count['label']}: {count['detections']} detections, {count['tracks']} tracks")
    return 0


def checked(payload: dict) -> dict:
    """The payload of a mutation, if the server had nothing against it."""
    if payload["userErrors"]:
        sys.exit("\n".join(error["message"] for error in payload["userErrors"]))
    return payload


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
