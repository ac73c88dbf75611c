"""Print the run-time dependencies with each lower bound of pyproject.toml made exact, as pip constraints."""

import re
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = [
    requirement for name in ("dask", "pandas", "parquet") for requirement in project["optional-dependencies"][name]
]
for requirement in project["dependencies"] + extras:
    print(re.sub(r"\[.*\]", "", requirement).replace(">=", "=="))  # constraints have no extras
