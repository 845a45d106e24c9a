"""Packaging from settings.ini, so that versions and requirements stand in one place."""

from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

config = ConfigParser(delimiters=["="])
config.read("settings.ini", encoding="utf-8")
settings = config["DEFAULT"]
extras = {
    key.removesuffix("_requirements"): value.split()
    for key, value in settings.items()
    if key.endswith("_requirements")
}

setup(
    name=settings["lib_name"],
    version=settings["version"],
    description=settings["description"],
    long_description=Path("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    author=settings["author"],
    license="Apache-2.0",
    packages=find_packages(include=["llmft", "llmft.*"]),
    package_data={"llmft": ["py.typed"]},
    python_requires=">=" + settings["min_python"],
    install_requires=settings["requirements"].split(),
    extras_require=extras,
    entry_points={"console_scripts": settings["console_scripts"].split("\n")},
    zip_safe=False,
)
