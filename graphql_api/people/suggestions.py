"""Pairs of people who may be the same one."""

import strawberry

from graphql_api.context import Info
from graphql_api.execution.selection import wants_of
from graphql_api.fields import field
from graphql_api.people.persons import Person, load_people
from graphql_api.relay import page_size
from tasks.people.suggestions import suggest_same_people


@strawberry.type(description="Two people who may be the same one.")
class SamePersonSuggestion:
    first: Person = strawberry.field(description="One of them.")
    second: Person = strawberry.field(description="The other.")
    similarity: float = strawberry.field(description="How much their faces are alike, from -1 to 1.")


@strawberry.type
class SuggestionQueries:
    @field(
        "People of yours who may be the same one, most alike first. Answer with `answerSamePerson`: what was "
        "answered is not suggested again.",
        signed_in=True,
    )
    async def same_person_suggestions(self, info: Info, first: int | None = 20) -> list[SamePersonSuggestion]:
        context = info.context
        found = await suggest_same_people(context.state.settings, context.user_id, page_size(first, 20))
        keys = list(dict.fromkeys(key for one in found for key in (one.first_id, one.second_id)))
        loaded = await load_people(context, keys, wants_of(info))
        people = {person.key: person for person in loaded if person is not None}
        return [
            SamePersonSuggestion(
                first=people[one.first_id], second=people[one.second_id], similarity=one.similarity
            )
            for one in found
            # Another request may have joined them meanwhile.
            if one.first_id in people and one.second_id in people
        ]
