package io.remap.cli;

import picocli.CommandLine.Command;

/** A disk that fails on demand, for people who test what is built on disks. */
@Command(
        name = "sim",
        header = "Make, serve and steer a simulated disk that fails on demand.",
        description = {
            "Such a disk is an image file and a list of its faults beside it. 'remap sim serve' exports it alone over NBD: no "
                    + "spare, and every error goes to the client. It needs no root.",
            ""
        },
        subcommands = {
            SimCreateCommand.class,
            SimServeCommand.class,
            SimSteering.Status.class,
            SimSteering.Bad.class,
            SimSteering.Heal.class,
            SimSteering.Down.class,
            SimSteering.State.class,
            SimSteering.Up.class,
            SimSteering.PowerCut.class,
            SimSteering.Message.class
        })
final class SimCommand extends VerbGroup {
    /** Made by picocli. */
    SimCommand() {}
}
