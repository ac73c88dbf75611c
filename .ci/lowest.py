"""Print the run-time dependencies with each lower bound of pyproject.toml made exact, as pip constraints."""

import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
for requirement in project["dependencies"] + project["optional-dependencies"]["pandas"]:
    print(requirement.replace(">=", "=="))
