"""Find the people in a video, and give the one who is seen most a name, with gql.

    pip install "gql[aiohttp]"
    python examples/people_gql.py clip.mp4 "Ada Lovelace"

FRAMEWISE_URL is the server (http://127.0.0.1:8000), FRAMEWISE_USERNAME and FRAMEWISE_PASSWORD an account.
"""

import asyncio
import os
import sys

from gql import Client, FileVar, GraphQLRequest
from gql.transport.aiohttp import AIOHTTPTransport

URL = os.environ.get("FRAMEWISE_URL", "http://127.0.0.1:8000") + "/graphql"

SIGN_IN = """
mutation ($input: SignInInput!) {
  signIn(input: $input) { session { accessToken } userErrors { message } }
}
"""
UPLOAD = """
mutation ($files: [Upload!]!) {
  uploadVideos(files: $files, analyze: {mlModel: "yunet-2026may", createPeople: true}) {
    videos { id } analyses { id } userErrors { message }
  }
}
"""
STATE = "query ($id: ID!) { analysis(id: $id) { status progress errorMessage } }"
PEOPLE = """
query ($video: ID!) {
  people(first: 100, filter: {videoId: $video}) {
    edges { node { id fullName cropUrl presence(videoId: $video) { seconds } } }
  }
}
"""
NAME = """
mutation ($id: ID!, $name: String!) {
  updatePerson(input: {id: $id, fullName: $name}) { person { fullName } userErrors { message } }
}
"""


async def main(video_file: str, name: str) -> int:
    async with Client(transport=AIOHTTPTransport(URL)) as session:
        login = {"username": os.environ["FRAMEWISE_USERNAME"], "password": os.environ["FRAMEWISE_PASSWORD"]}
        answer = await session.execute(GraphQLRequest(SIGN_IN, variable_values={"input": login}))
        token = checked(answer["signIn"])["session"]["accessToken"]
    headers = {"Authorization": f"Bearer {token}"}

    async with Client(transport=AIOHTTPTransport(URL, headers=headers), execute_timeout=None) as session:

        async def ask(document: str, **variables: object) -> dict:
            return await session.execute(GraphQLRequest(document, variable_values=variables))

        files = [FileVar(video_file, streaming=True)]
        upload = GraphQLRequest(UPLOAD, variable_values={"files": files})
        payload = checked((await session.execute(upload, upload_files=True))["uploadVideos"])
        (video,), (analysis,) = payload["videos"], payload["analyses"]

        state = analysis | {"status": "QUEUED"}
        while state["status"] in ("QUEUED", "RUNNING"):
            await asyncio.sleep(1)
            state = (await ask(STATE, id=analysis["id"]))["analysis"]
            print(f"{state['status']} {state['progress']:.0f} %")
        if state["status"] != "SUCCEEDED":
            print(state["errorMessage"] or state["status"])
            return 1

        edges = (await ask(PEOPLE, video=video["id"]))["people"]["edges"]
        people = sorted((edge["node"] for edge in edges), key=seconds, reverse=True)
        # People are known again: who was named before has a name already.
        if people and people[0]["fullName"] is None:
            named = checked((await ask(NAME, id=people[0]["id"], name=name))["updatePerson"])
            people[0] |= named["person"]
        for person in people:
            print(f"{person['fullName'] or 'somebody'}: {seconds(person):.1f} s, {person['cropUrl']}")
    return 0


def seconds(person: dict) -> float:
    """How long somebody is seen in the video."""
    return person["presence"]["seconds"]


def checked(payload: dict) -> dict:
    """The payload of a mutation, if the server had nothing against it."""
    if payload["userErrors"]:
        sys.exit("\n".join(error["message"] for error in payload["userErrors"]))
    return payload


if __name__ == "__main__":
    sys.exit(asyncio.run(main(*sys.argv[1:])))
