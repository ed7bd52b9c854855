"""What each operation leaves in Nova: its action, its events, how long it takes, from which states it is possible."""

from typing import Literal, TypedDict

from msgspec import Struct

#: Where an event happens: on the server's host, on the host it moves to, or in the conductor.
Where = Literal["host", "target", "conductor"]


class How(TypedDict, total=False):
    """How an operation goes: seconds it takes; whether the clock waits for its end; whether it fails; by which user."""

    seconds: float
    wait: bool
    fails: bool
    by: str


class Operation(Struct, frozen=True):
    """One operation; `events` oldest first; `needs` are vm_states, none meaning any but deleted."""

    action: str
    seconds: float
    events: tuple[tuple[str, Where], ...] = ()
    task: str | None = None
    needs: tuple[str, ...] = ()
    by_admin: bool = False
    #: Whether the server's `updated` moves.
    touches: bool = True


def _here(event: str) -> tuple[tuple[str, Where], ...]:
    return ((event, "host"),)


_MOVE: tuple[tuple[str, Where], ...] = (
    ("conductor_migrate_server", "conductor"),
    ("cold_migrate", "conductor"),
    ("compute_prep_resize", "target"),
    ("compute_resize_instance", "host"),
    ("compute_finish_resize", "target"),
)

#: Operation -> what Nova records. Source: 55 operations driven through a real Nova; Nova's own state checks.
OPERATIONS: dict[str, Operation] = {
    "boot": Operation("create", 4, (("compute__do_build_and_run_instance", "target"),), "spawning"),
    "stop": Operation("stop", 2, _here("compute_stop_instance"), "powering-off", ("active", "rescued", "error")),
    "start": Operation("start", 2, _here("compute_start_instance"), "powering-on", ("stopped",)),
    "suspend": Operation("suspend", 3, _here("compute_suspend_instance"), "suspending", ("active",)),
    "resume": Operation("resume", 3, _here("compute_resume_instance"), "resuming", ("suspended",)),
    "pause": Operation("pause", 1, _here("compute_pause_instance"), "pausing", ("active",)),
    "unpause": Operation("unpause", 1, _here("compute_unpause_instance"), "unpausing", ("paused",)),
    "shelve": Operation(
        "shelve",
        6,
        _here("compute_shelve_instance"),
        "shelving_image_uploading",
        ("active", "stopped", "paused", "suspended"),
    ),
    "shelve_offload": Operation(
        "shelveOffload", 2, _here("compute_shelve_offload_instance"), "shelving_offloading", ("shelved",)
    ),
    "unshelve": Operation(
        "unshelve",
        5,
        (
            ("get_image_info", "conductor"),
            ("schedule_instances", "conductor"),
            ("compute_unshelve_instance", "target"),
        ),
        "unshelving",
        ("shelved", "shelved_offloaded"),
    ),
    "resize": Operation("resize", 8, _MOVE, "resize_prep", ("active", "stopped")),
    "migrate": Operation("migrate", 8, _MOVE, "resize_prep", ("active", "stopped"), by_admin=True),
    "confirm_resize": Operation("confirmResize", 1, (("compute_confirm_resize", "target"),), None, ("resized",)),
    "revert_resize": Operation(
        "revertResize",
        4,
        (("compute_revert_resize", "host"), ("compute_finish_revert_resize", "target")),
        "resize_reverting",
        ("resized",),
    ),
    "rebuild": Operation(
        "rebuild",
        5,
        (("rebuild_server", "conductor"), ("compute_rebuild_instance", "host")),
        "rebuilding",
        ("active", "stopped", "error"),
    ),
    "live_migrate": Operation(
        "live-migration",
        6,
        (
            ("conductor_live_migrate_instance", "conductor"),
            ("compute_check_can_live_migrate_destination", "target"),
            ("compute_check_can_live_migrate_source", "host"),
            ("compute_live_migration", "host"),
            ("compute_pre_live_migration", "target"),
            ("compute_post_live_migration_at_destination", "target"),
        ),
        "migrating",
        ("active", "paused"),
        by_admin=True,
    ),
    "evacuate": Operation(
        "evacuate",
        6,
        (("rebuild_server", "conductor"), ("compute_rebuild_instance", "target"), ("compute_stop_instance", "target")),
        "rebuilding",
        ("active", "stopped", "error"),
        by_admin=True,
    ),
    "rescue": Operation("rescue", 3, _here("compute_rescue_instance"), "rescuing", ("active", "stopped", "error")),
    "unrescue": Operation("unrescue", 3, _here("compute_unrescue_instance"), "unrescuing", ("rescued",)),
    "reboot": Operation(
        "reboot",
        2,
        _here("compute_reboot_instance"),
        "rebooting",
        ("active", "stopped", "paused", "suspended", "error"),
    ),
    "reset_state": Operation("resetState", 0, by_admin=True),
    "attach_volume": Operation(
        "attach_volume",
        2,
        _here("compute_attach_volume"),
        needs=("active", "paused", "stopped", "resized"),
        touches=False,
    ),
    "detach_volume": Operation(
        "detach_volume",
        2,
        _here("compute_detach_volume"),
        needs=("active", "paused", "stopped", "resized"),
        touches=False,
    ),
    "soft_delete": Operation(
        "softDelete",
        2,
        _here("compute_soft_delete_instance"),
        "soft-deleting",
        ("active", "stopped", "paused", "suspended", "error"),
    ),
    "restore": Operation("restore", 2, _here("compute_restore_instance"), "restoring", ("soft-delete",)),
    "delete": Operation("delete", 2, _here("compute_terminate_instance"), "deleting"),
}

#: Operations that change no session; they go by the name of their action.
OTHERS: dict[str, Operation] = {
    "attach_interface": Operation("attach_interface", 1, _here("compute_attach_interface")),
    "changePassword": Operation("changePassword", 1, _here("compute_set_admin_password")),
    "createBackup": Operation("createBackup", 1, _here("compute_backup_instance"), "image_backup"),
    "createImage": Operation("createImage", 1, _here("compute_snapshot_instance"), "image_snapshot"),
    "detach_interface": Operation("detach_interface", 1, _here("compute_detach_interface")),
    "extend_volume": Operation("extend_volume", 1, _here("compute_extend_volume"), touches=False),
    "lock": Operation("lock", 0, (("api_lock", "conductor"),)),
    "trigger_crash_dump": Operation("trigger_crash_dump", 0, _here("compute_trigger_crash_dump")),
    "unlock": Operation("unlock", 0, (("api_unlock", "conductor"),)),
}
